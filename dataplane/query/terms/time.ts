import type { Datum } from '../../datum/datum.ts';
import { determinism } from '../compiled.ts';
import type { TermCall, TermDefinition, TermEntry } from '../compiled.ts';
import { logic } from '../failure.ts';
import { integerOf, numberOf, textOf } from '../value.ts';
import { isoText, parseIso } from './iso8601.ts';
import {
  calendarTime,
  checkedZone,
  localDate,
  secondsOf,
  timeDatum,
  timeOf,
  zoneOf,
} from './time-value.ts';

/** Times: their making, their parts, their zones. */

const part = (of: (date: Date) => number): TermDefinition => ({
  arity: [1, 1],
  run: ({ args: [time = null] }) => of(localDate(timeOf(time))),
});

const daySeconds = 86_400;

/** Days of the year of a date, 1 January being 1. */
function dayOfYear(date: Date): number {
  const start = new globalThis.Date(0);
  start.setUTCFullYear(date.getUTCFullYear(), 0, 1);
  return Math.floor((date.getTime() - start.getTime()) / (daySeconds * 1000)) + 1;
}

/** Seconds since the midnight of its own zone. */
function secondsOfDay(date: Date): number {
  const inDay = ((date.getTime() % (daySeconds * 1000)) + daySeconds * 1000) % (daySeconds * 1000);
  return inDay / 1000;
}

function dateOf({ args: [time = null] }: TermCall): Datum {
  const found = timeOf(time);
  const seconds = secondsOf(found) - secondsOfDay(localDate(found));
  return timeDatum(seconds, zoneOf(found));
}

function checkedPart(
  name: string,
  value: number,
  [least, most]: readonly [number, number],
): number {
  if (value >= least && value <= most) return value;
  throw logic(`${name} is out of valid range: ${least}..${most}`);
}

/** `time(year, month, day[, hours, minutes, seconds], zone)`. */
function makeTime({ args }: TermCall): Datum {
  if (args.length !== 4 && args.length !== 7)
    throw logic(`Got ${args.length} arguments to TIME (expected 4 or 7).`);
  const zone = checkedZone(textOf(args.at(-1) ?? null));
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0] = args
    .slice(0, -1)
    .slice(0, 5)
    .map(integerOf);
  const seconds = args.length === 7 ? numberOf(args[5] ?? null) : 0;
  checkedPart('Year', year, [1_400, 10_000]);
  checkedPart('Month', month, [1, 12]);
  checkedPart('Day of month', day, [1, 31]);
  checkedPart('Hours', hours, [0, 23]);
  checkedPart('Minutes', minutes, [0, 59]);
  return calendarTime({ year, month, day, hours, minutes, seconds }, zone);
}

function during({ args: [time = null, from = null, to = null], options }: TermCall): Datum {
  const [at, start, end] = [time, from, to].map((each) => secondsOf(timeOf(each))) as [
    number,
    number,
    number,
  ];
  const afterStart = options.get('left_bound') === 'open' ? at > start : at >= start;
  return afterStart && (options.get('right_bound') === 'closed' ? at <= end : at < end);
}

function isoTime({ args: [text = null], options }: TermCall): Datum {
  const zone = options.get('default_timezone');
  return parseIso(textOf(text), zone === undefined ? undefined : checkedZone(textOf(zone)));
}

const constants = (first: number, count: number): TermEntry[] =>
  Array.from({ length: count }, (_, at): TermEntry => [
    first + at,
    { arity: [0, 0], run: () => at + 1 },
  ]);

export const timeTerms: readonly TermEntry[] = [
  [99, { arity: [1, 1], options: ['default_timezone'], run: isoTime }],
  [100, { arity: [1, 1], run: ({ args: [time = null] }) => isoText(timeOf(time)) }],
  [101, { arity: [1, 1], run: ({ args: [epoch = null] }) => timeDatum(numberOf(epoch)) }],
  [102, { arity: [1, 1], run: ({ args: [time = null] }) => secondsOf(timeOf(time)) }],
  [
    103,
    {
      arity: [0, 0],
      determinism: determinism.withinQuery,
      run: ({ context }) => timeDatum(context.nowMs / 1000),
    },
  ],
  [
    104,
    {
      arity: [2, 2],
      run: ({ args: [time = null, zone = null] }) =>
        timeDatum(secondsOf(timeOf(time)), checkedZone(textOf(zone))),
    },
  ],
  [105, { arity: [3, 3], options: ['left_bound', 'right_bound'], run: during }],
  [106, { arity: [1, 1], run: dateOf }],
  ...constants(107, 7),
  ...constants(114, 12),
  [126, { arity: [1, 1], run: ({ args: [time = null] }) => secondsOfDay(localDate(timeOf(time))) }],
  [127, { arity: [1, 1], run: ({ args: [time = null] }) => zoneOf(timeOf(time)) }],
  [128, part((date) => date.getUTCFullYear())],
  [129, part((date) => date.getUTCMonth() + 1)],
  [130, part((date) => date.getUTCDate())],
  [131, part((date) => date.getUTCDay() || 7)],
  [132, part(dayOfYear)],
  [133, part((date) => date.getUTCHours())],
  [134, part((date) => date.getUTCMinutes())],
  [135, part((date) => date.getUTCSeconds() + date.getUTCMilliseconds() / 1000)],
  [136, { arity: [4, 7], run: makeTime }],
];
