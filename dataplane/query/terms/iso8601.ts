import type { Datum, DatumObject } from '../../datum/datum.ts';
import { logic } from '../failure.ts';
import { calendarTime, checkedZone, localDate, zoneOf } from './time-value.ts';

/** ISO 8601 dates and times (calendar, week and ordinal dates; basic and extended forms). */

const datePatterns = [
  /^(?<year>\d{4})-?(?<month>\d\d)-?(?<day>\d\d)$/,
  /^(?<year>\d{4})-W(?<week>\d\d)(?:-(?<weekday>\d))?$/,
  /^(?<year>\d{4})W(?<week>\d\d)(?<weekday>\d)?$/,
  /^(?<year>\d{4})-?(?<ordinal>\d{3})$/,
  /^(?<year>\d{4})-(?<month>\d\d)$/,
  /^(?<year>\d{4})$/,
];
const timePattern = /^(?<hours>\d\d)(?::?(?<minutes>\d\d)(?::?(?<seconds>\d\d(?:[.,]\d+)?))?)?$/;

interface Day {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** Reads a time; without an offset in it, `zone` is the offset, and without both it is refused. */
export function parseIso(text: string, zone: string | undefined): Datum {
  const [datePart = '', ...rest] = text.split(/[T ]/);
  const [, clock = '', own] = /^([\d:.,]*)(.*)$/s.exec(rest.join('T')) ?? [];
  const offset = own === undefined || own === '' ? zone : checkedZone(own);
  const day = dayOf(datePart, text);
  const time = clockOf(clock, text);
  if (offset === undefined)
    throw logic('ISO 8601 string has no time zone, and no default time zone was provided.');
  return calendarTime({ ...day, ...time }, offset);
}

function dayOf(text: string, whole: string): Day {
  for (const pattern of datePatterns) {
    const groups = pattern.exec(text)?.groups;
    if (groups === undefined) continue;
    const year = Number(groups['year']);
    const { week, ordinal } = groups;
    if (week !== undefined) return weekDay(year, Number(week), Number(groups['weekday'] ?? 1));
    if (ordinal !== undefined) return { year, month: 1, day: Number(ordinal) };
    return { year, month: Number(groups['month'] ?? 1), day: Number(groups['day'] ?? 1) };
  }
  throw logic(`Invalid date string supplied \`${whole}\`.`);
}

function weekDay(year: number, week: number, weekday: number): Day {
  const fourth = new globalThis.Date(0);
  fourth.setUTCFullYear(year, 0, 4);
  const monday = 4 - (fourth.getUTCDay() || 7) + 1;
  return { year, month: 1, day: monday + (week - 1) * 7 + weekday - 1 };
}

function clockOf(text: string, whole: string): { hours: number; minutes: number; seconds: number } {
  if (text === '') return { hours: 0, minutes: 0, seconds: 0 };
  const groups = timePattern.exec(text)?.groups;
  if (groups === undefined) throw logic(`Invalid date string supplied \`${whole}\`.`);
  return {
    hours: Number(groups['hours']),
    minutes: Number(groups['minutes'] ?? 0),
    seconds: Number((groups['seconds'] ?? '0').replace(',', '.')),
  };
}

/** The text of a time in its own zone; milliseconds only when there are some. */
export function isoText(time: DatumObject): string {
  const text = localDate(time).toISOString().replace('Z', '');
  return `${text.endsWith('.000') ? text.slice(0, -4) : text}${zoneOf(time)}`;
}
