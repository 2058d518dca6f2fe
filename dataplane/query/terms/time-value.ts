import type { Datum, DatumObject } from '../../datum/datum.ts';
import { fieldOf, isObject, objectOf, pseudoType } from '../../datum/object.ts';
import { nonFinite } from '../../datum/errors.ts';
import { wholeMilliseconds } from '../../datum/pseudo-type.ts';
import { readZone } from '../../datum/time-zone.ts';
import { logic } from '../failure.ts';
import { datumOf, wrongValue } from '../value-reading.ts';
import type { Value } from '../value.ts';

/** Times as values: seconds since 1970 (milliseconds count) and the offset that they are shown in. */

export const isTime = (datum: Datum | undefined): datum is DatumObject =>
  datum !== undefined && isObject(datum) && pseudoType(datum) === 'TIME';

export const secondsOf = (time: DatumObject): number => Number(fieldOf(time, 'epoch_time'));

export const zoneOf = (time: DatumObject): string => {
  const zone = fieldOf(time, 'timezone');
  return typeof zone === 'string' ? zone : '+00:00';
};

export function timeDatum(epochSeconds: number, timezone = '+00:00'): Datum {
  if (!Number.isFinite(epochSeconds)) throw nonFinite(epochSeconds);
  return objectOf([
    ['$reql_type$', 'TIME'],
    ['epoch_time', wholeMilliseconds(epochSeconds)],
    ['timezone', timezone],
  ]);
}

export function timeOf(value: Value): DatumObject {
  const datum = datumOf(value);
  if (!isTime(datum)) throw wrongValue('PTYPE<TIME>', value);
  return datum;
}

/** `Z`, `+hh`, `+hhmm` or `+hh:mm` as `+hh:mm`. */
export function checkedZone(text: string): string {
  const reading = readZone(text);
  if (reading.type === 'invalid') throw logic(reading.message);
  return reading.zone;
}

/** Seconds to add to UTC. */
function offsetSeconds(zone: string): number {
  if (zone === '' || zone === 'Z') return 0;
  const [hours = 0, minutes = 0] = zone.slice(1).split(':').map(Number);
  return (zone.startsWith('-') ? -1 : 1) * (hours * 3_600 + minutes * 60);
}

/** Years that have a calendar. */
const years = { least: 1_400, most: 10_000 } as const;

function checkYear(year: number): void {
  if (year >= years.least && year <= years.most) return;
  throw logic(`Error in time logic: Year is out of valid range: ${years.least}..${years.most}.`);
}

/** The moment as a calendar date of its own zone, to be read by the UTC accessors: no clock. */
export function localDate(time: DatumObject): Date {
  const seconds = secondsOf(time) + offsetSeconds(zoneOf(time));
  const date = new globalThis.Date(Math.round(seconds * 1000));
  checkYear(date.getUTCFullYear());
  return date;
}

export interface CalendarDay {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

export interface CalendarTime extends CalendarDay {
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
}

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

export const daysOfYear = (year: number): number => (isLeap(year) ? 366 : 365);

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** A day that no calendar has would become another one. */
function checkDay({ year, month, day }: CalendarDay): void {
  checkYear(year);
  if (month < 1 || month > 12)
    throw logic('Error in time logic: Month number is out of range 1..12.');
  if (day < 1 || day > 31)
    throw logic('Error in time logic: Day of month value is out of range 1..31.');
  const days = month === 2 && isLeap(year) ? 29 : (monthDays[month - 1] ?? 31);
  if (day > days) throw logic('Error in time logic: Day of month is not valid for year.');
}

function checkClock({ hours, minutes, seconds }: CalendarTime): void {
  if (hours < 0 || hours > 23)
    throw logic('Error in time logic: Hour value is out of range 0..23.');
  if (minutes < 0 || minutes > 59)
    throw logic('Error in time logic: Minute value is out of range 0..59.');
  if (seconds < 0 || seconds >= 60)
    throw logic('Error in time logic: Second value is out of range 0..59.999.');
}

/** A calendar time of a zone as a datum. */
export function calendarTime(at: CalendarTime, zone: string): Datum {
  checkDay(at);
  checkClock(at);
  const date = new globalThis.Date(0);
  date.setUTCFullYear(at.year, at.month - 1, at.day);
  const seconds = at.hours * 3_600 + at.minutes * 60 + at.seconds;
  return timeDatum(date.getTime() / 1000 + seconds - offsetSeconds(zone), zone);
}
