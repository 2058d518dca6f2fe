import type { Datum, DatumObject } from '../../datum/datum.ts';
import { logic } from '../failure.ts';
import { calendarTime, checkedZone, daysOfYear, localDate, zoneOf } from './time-value.ts';
import type { CalendarDay } from './time-value.ts';

/**
 * ISO 8601 dates and times: calendar, week and ordinal dates, in basic and extended form. Years have four
 * digits, and what ends early ends with a whole part.
 */

/** Reads a time; without an offset in it, `zone` is the offset, and without both it is refused. */
export function parseIso(text: string, zone: string | undefined): Datum {
  const cut = text.indexOf('T');
  const day = dayOf(cut < 0 ? text : text.slice(0, cut));
  const [, clock = '', own = ''] =
    /^([^-+Z]*)(.*)$/s.exec(cut < 0 ? '' : text.slice(cut + 1)) ?? [];
  const time = cut < 0 ? { hours: 0, minutes: 0, seconds: 0 } : clockOf(clock);
  const offset = own === '' ? zone : checkedZone(own);
  if (offset === undefined)
    throw logic('ISO 8601 string has no time zone, and no default time zone was provided.');
  return calendarTime({ ...day, ...time }, offset);
}

const invalid = (what: string, text: string): Error => logic(`Invalid ${what} string \`${text}\`.`);

function dayOf(text: string): CalendarDay {
  const groups = /^(?<year>\d{4})(?<rest>.*)$/s.exec(text)?.groups;
  if (groups === undefined) throw dateFault(text);
  const year = Number(groups['year']);
  const rest = groups['rest'] ?? '';
  if (rest === '') return { year, month: 1, day: 1 };
  const week = /^(?<dash>-?)W(?<week>\d\d)(?:(?<dash2>-?)(?<weekday>\d))?$/.exec(rest)?.groups;
  if (week !== undefined) {
    const { dash, dash2 = dash } = week;
    if (dash !== dash2) throw logic(`Date string \`${text}\` must have 0 or 2 hyphens.`);
    return weekDay(year, Number(week['week']), Number(week['weekday'] ?? 1));
  }
  const ordinal = /^-?(?<ordinal>\d{3})$/.exec(rest)?.groups?.['ordinal'];
  if (ordinal !== undefined) return ordinalDay(year, Number(ordinal));
  return monthDay(year, rest, text);
}

function monthDay(year: number, rest: string, text: string): CalendarDay {
  const date = /^(?<dash>-?)(?<month>\d\d)(?:(?<dash2>-?)(?<day>\d\d))?(?<garbage>.*)$/s.exec(rest);
  if (date?.groups === undefined) throw dateFault(text);
  const { dash, dash2, month, day, garbage = '' } = date.groups;
  const isMonthOnly = day === undefined && garbage === '' && dash === '-';
  if (isMonthOnly) return { year, month: Number(month), day: 1 };
  if (day === undefined) throw dateFault(text);
  if (dash !== dash2) throw logic(`Date string \`${text}\` must have 0 or 2 hyphens.`);
  if (garbage !== '')
    throw logic(`Garbage characters \`${garbage}\` at end of date string \`${text}\`.`);
  return { year, month: Number(month), day: Number(day) };
}

/** The first character that is no digit where one must be. */
function dateFault(text: string): Error {
  const wrong = /[^\d-]/u.exec(text)?.[0];
  return wrong === undefined
    ? invalid('date', text)
    : logic(`Invalid date string \`${text}\` (got \`${wrong}\` but expected a digit).`);
}

function ordinalDay(year: number, ordinal: number): CalendarDay {
  if (ordinal < 1 || ordinal > daysOfYear(year))
    throw logic(`Error in time logic: Day of year value is out of range 1..${daysOfYear(year)}.`);
  const date = new globalThis.Date(0);
  date.setUTCFullYear(year, 0, ordinal);
  return { year, month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

/** Week 1 is that of the year's first Thursday; a day of a week may be in a neighbouring year. */
function weekDay(year: number, week: number, weekday: number): CalendarDay {
  if (weekday < 1 || weekday > 7)
    throw logic('Error in time logic: Day of week value is out of range 1..7.');
  if (week < 1 || week > weeksOfYear(year))
    throw logic(`Error in time logic: Week number is out of range 1..${weeksOfYear(year)}.`);
  const date = new globalThis.Date(0);
  date.setUTCFullYear(year, 0, mondayOfWeekOne(year) + (week - 1) * 7 + weekday - 1);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
  };
}

/** As a day of January, which may be before its first. */
function mondayOfWeekOne(year: number): number {
  const fourth = new globalThis.Date(0);
  fourth.setUTCFullYear(year, 0, 4);
  return 4 - (fourth.getUTCDay() || 7) + 1;
}

const weeksOfYear = (year: number): number =>
  (daysOfYear(year) + mondayOfWeekOne(year + 1) - mondayOfWeekOne(year)) / 7;

const timePattern =
  /^(?<hours>\d\d)(?:(?<colon>:?)(?<minutes>\d\d)(?:(?<colon2>:?)(?<seconds>\d\d(?:[.,]\d*)?))?)?$/;

function clockOf(text: string): { hours: number; minutes: number; seconds: number } {
  const groups = timePattern.exec(text)?.groups;
  if (groups === undefined) throw invalid('time', text);
  const { colon, colon2 = colon } = groups;
  if (colon !== colon2) throw logic(`Time string \`${text}\` must have 0 or 2 colons.`);
  return {
    hours: Number(groups['hours']),
    minutes: Number(groups['minutes'] ?? 0),
    seconds: Number((groups['seconds'] ?? '0').replace(',', '.')),
  };
}

/** The text of a time in its own zone; milliseconds only when there are some. */
export function isoText(time: DatumObject): string {
  const date = localDate(time);
  const year = date.getUTCFullYear();
  if (year > 9_999) throw logic(`Year \`${year}\` out of valid ISO 8601 range [0, 9999].`);
  const text = date.toISOString().replace('Z', '');
  return `${text.endsWith('.000') ? text.slice(0, -4) : text}${zoneOf(time)}`;
}
