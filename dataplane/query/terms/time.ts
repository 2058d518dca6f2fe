import type { Datum } from '../../datum/datum.ts';
import { determinism } from '../determinism.ts';
import type { TermCall, TermDefinition, TermEntry } from '../compiled.ts';
import { boundOptions, define, option } from '../options.ts';
import type { OptionValues } from '../options.ts';
import type { BoundSides } from '../bound-sides.ts';
import { Term } from '../term-table.ts';
import { RuntimeError } from '../errors.ts';
import { about, logic } from '../failure.ts';
import { integerOf, numberOf, textOf } from '../value-reading.ts';
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
const secondsOfDay = (date: Date): number =>
  date.getUTCHours() * 3_600 +
  date.getUTCMinutes() * 60 +
  (date.getUTCSeconds() * 1_000 + date.getUTCMilliseconds()) / 1_000;

function dateOf({ args: [time = null] }: TermCall): Datum {
  const found = timeOf(time);
  const seconds = secondsOf(found) - secondsOfDay(localDate(found));
  return timeDatum(seconds, zoneOf(found));
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
  return calendarTime({ year, month, day, hours, minutes, seconds }, zone);
}

function during({
  args: [time = null, from = null, to = null],
  options,
}: TermCall<BoundSides>): Datum {
  const [at, start, end] = [time, from, to].map((each) => secondsOf(timeOf(each))) as [
    number,
    number,
    number,
  ];
  const afterStart = options.left_bound === 'open' ? at > start : at >= start;
  return afterStart && (options.right_bound === 'closed' ? at <= end : at < end);
}

const isoOptions = {
  default_timezone: option(
    { allowed: 'a time zone', read: (value) => checkedZone(textOf(value)) },
    'The time zone of a text that names none.',
  ),
} as const;

function isoTime({
  args: [source = null],
  options,
}: TermCall<OptionValues<typeof isoOptions>>): Datum {
  const text = textOf(source);
  try {
    return parseIso(text, options.default_timezone);
  } catch (error) {
    throw error instanceof RuntimeError ? about(error, source) : error;
  }
}

const constants = (first: number, count: number): TermEntry[] =>
  Array.from({ length: count }, (_, at): TermEntry => [
    first + at,
    { arity: [0, 0], run: () => at + 1 },
  ]);

export const timeTerms: readonly TermEntry[] = [
  [Term.ISO8601, define({ arity: [1, 1], options: isoOptions, run: isoTime })],
  [Term.TO_ISO8601, { arity: [1, 1], run: ({ args: [time = null] }) => isoText(timeOf(time)) }],
  [
    Term.EPOCH_TIME,
    { arity: [1, 1], run: ({ args: [epoch = null] }) => timeDatum(numberOf(epoch)) },
  ],
  [
    Term.TO_EPOCH_TIME,
    { arity: [1, 1], run: ({ args: [time = null] }) => secondsOf(timeOf(time)) },
  ],
  [
    Term.NOW,
    {
      arity: [0, 0],
      determinism: determinism.withinQuery,
      run: ({ context }) => timeDatum(context.nowMs / 1000),
    },
  ],
  [
    Term.IN_TIMEZONE,
    {
      arity: [2, 2],
      run: ({ args: [time = null, zone = null] }) =>
        timeDatum(secondsOf(timeOf(time)), checkedZone(textOf(zone))),
    },
  ],
  [Term.DURING, define({ arity: [3, 3], options: boundOptions, run: during })],
  [Term.DATE, { arity: [1, 1], run: dateOf }],
  ...constants(Term.MONDAY, 7),
  ...constants(Term.JANUARY, 12),
  [
    Term.TIME_OF_DAY,
    { arity: [1, 1], run: ({ args: [time = null] }) => secondsOfDay(localDate(timeOf(time))) },
  ],
  [Term.TIMEZONE, { arity: [1, 1], run: ({ args: [time = null] }) => zoneOf(timeOf(time)) }],
  [Term.YEAR, part((date) => date.getUTCFullYear())],
  [Term.MONTH, part((date) => date.getUTCMonth() + 1)],
  [Term.DAY, part((date) => date.getUTCDate())],
  [Term.DAY_OF_WEEK, part((date) => date.getUTCDay() || 7)],
  [Term.DAY_OF_YEAR, part(dayOfYear)],
  [Term.HOURS, part((date) => date.getUTCHours())],
  [Term.MINUTES, part((date) => date.getUTCMinutes())],
  [
    Term.SECONDS,
    part((date) => (date.getUTCSeconds() * 1_000 + date.getUTCMilliseconds()) / 1_000),
  ],
  [Term.TIME, { arity: [4, 7], run: makeTime }],
];
