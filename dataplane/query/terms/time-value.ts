import type { Datum, DatumObject } from '../../datum/datum.ts';
import { fieldOf, isObject, objectOf, pseudoType } from '../../datum/object.ts';
import { nonFinite } from '../../datum/errors.ts';
import { wholeMilliseconds } from '../../datum/pseudo-type.ts';
import { readZone } from '../../datum/time-zone.ts';
import { logic } from '../failure.ts';
import { datumOf, wrongValue } from '../value.ts';
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

/** The moment as a calendar date of its own zone, to be read by the UTC accessors: no clock. */
export function localDate(time: DatumObject): Date {
  const seconds = secondsOf(time) + offsetSeconds(zoneOf(time));
  const date = new globalThis.Date(Math.round(seconds * 1000));
  if (!Number.isNaN(date.getTime())) return date;
  throw logic('Error in time logic: Year is out of valid range: 1400..9999.');
}

export interface CalendarTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
}

/** A calendar time of a zone as a datum. */
export function calendarTime(at: CalendarTime, zone: string): Datum {
  const date = new globalThis.Date(0);
  date.setUTCFullYear(at.year, at.month - 1, at.day);
  const seconds = at.hours * 3_600 + at.minutes * 60 + at.seconds;
  return timeDatum(date.getTime() / 1000 + seconds - offsetSeconds(zone), zone);
}
