import type { Datum, DatumObject } from '../../datum/datum.ts';
import { compareDatum } from '../../datum/compare.ts';
import { canonicalText, parseText, prettyText } from '../../datum/text.ts';
import { isObject, objectOf, pseudoType } from '../../datum/object.ts';
import { typeName } from '../../datum/type-name.ts';
import { errorType, RuntimeError } from '../errors.ts';
import { RE2JS } from 're2js';
import type { TermCall, TermDefinition } from '../compiled.ts';
import { logic, wrongDatum } from '../failure.ts';
import {
  arrayOf,
  BoundValue,
  datumOf,
  integerOf,
  numberOf,
  Special,
  textOf,
  truth,
} from '../value.ts';
import type { Value } from '../value.ts';

/** Numbers, texts, comparison, logic, time: terms over single values. */
const many = Number.POSITIVE_INFINITY;

const datums = ({ args }: TermCall): Datum[] => args.map(datumOf);

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw logic(`Non-finite number: ${Number.isNaN(value) ? 'NaN' : value > 0 ? 'inf' : '-inf'}`);
}

const fold =
  (step: (a: number, b: number) => number) =>
  (call: TermCall): Datum =>
    call.args.map(numberOf).reduce((a, b) => finite(step(a, b)));

const zoneOf = (time: DatumObject): string => textOf(time['timezone'] ?? '+00:00');
const seconds = (time: DatumObject): number => Number(time['epoch_time']);
const isTime = (datum: Datum | undefined): datum is DatumObject =>
  datum !== undefined && isObject(datum) && pseudoType(datum) === 'TIME';

const timeOf = (epoch: number, timezone = '+00:00'): Datum =>
  objectOf([
    ['$reql_type$', 'TIME'],
    ['epoch_time', Math.round(epoch * 1000) / 1000],
    ['timezone', timezone],
  ]);

function add(call: TermCall): Datum {
  const [first, ...rest] = datums(call);
  if (typeof first === 'string') return first + rest.map((item) => textOf(item)).join('');
  if (Array.isArray(first))
    return [...(first as Datum[]), ...rest.flatMap((item) => arrayOf(item))];
  if (isTime(first))
    return timeOf(
      rest.reduce<number>((sum, item) => sum + numberOf(item), seconds(first)),
      zoneOf(first),
    );
  return fold((a, b) => a + b)(call);
}

function subtract(call: TermCall): Datum {
  const [first, second] = datums(call);
  if (!isTime(first)) return fold((a, b) => a - b)(call);
  return isTime(second)
    ? seconds(first) - seconds(second)
    : timeOf(seconds(first) - numberOf(second ?? null), zoneOf(first));
}

function multiply(call: TermCall): Datum {
  const [first, second] = datums(call);
  const [array, count] = Array.isArray(first) ? [first, second] : [second, first];
  if (!Array.isArray(array)) return fold((a, b) => a * b)(call);
  return Array.from({ length: integerOf(count ?? null) }, () => array as Datum[]).flat();
}

const divide = fold((a, b) => {
  if (b === 0) throw logic('Cannot divide by zero.');
  return a / b;
});

function modulo({ args }: TermCall): Datum {
  const [a, b] = [integerOf(args[0] ?? null), integerOf(args[1] ?? null)];
  if (b === 0) throw logic('Cannot take a number modulo 0.');
  return a % b;
}

const compares = (holds: (order: number) => boolean): TermDefinition => ({
  arity: [2, many],
  run: (call) => {
    const values = datums(call);
    return values
      .slice(1)
      .every((value, before) => holds(compareDatum(values[before] as Datum, value)));
  },
});

const rounding = (round: (value: number) => number): TermDefinition => ({
  arity: [1, 1],
  run: ({ args: [value] }) => round(numberOf(value ?? null)),
});

function splitText({ args: [text, separator, most] }: TermCall): Datum {
  const whole = textOf(text ?? null);
  const limit = most === undefined ? Number.POSITIVE_INFINITY : integerOf(most);
  const blank = separator === undefined || separator === null;
  const parts = blank ? whole.split(/\s+/).filter(Boolean) : whole.split(textOf(separator));
  if (parts.length <= limit + 1) return parts;
  const glue = blank ? ' ' : textOf(separator);
  return [...parts.slice(0, limit), parts.slice(limit).join(glue)];
}

function typeOf({ args: [value] }: TermCall): Datum {
  return value instanceof Special ? value.typeName : typeName(value as Datum);
}

function parseJson({ args: [text] }: TermCall): Datum {
  const source = textOf(text ?? null);
  try {
    return parseText(source);
  } catch {
    throw logic(`Failed to parse "${source}" as JSON: Invalid value.`);
  }
}

function raise({ args: [message] }: TermCall): Datum {
  throw message === undefined
    ? new RuntimeError(errorType.nonExistence, 'Empty ERROR term outside a default block.', [])
    : new RuntimeError(errorType.user, textOf(message), []);
}

const part = (of: (date: Date) => number): TermDefinition => ({
  arity: [1, 1],
  run: ({ args: [time] }) => {
    const datum = datumOf(time ?? null);
    if (!isTime(datum)) throw wrongDatum('PTYPE<TIME>', datum);
    return of(dateAt(seconds(datum)));
  },
});

/** A moment as a calendar date of UTC: a function of its argument, no clock. */
const dateAt = (epoch: number): Date => new globalThis.Date(epoch * 1000);

function isoTime({ args: [text] }: TermCall): Datum {
  const epoch = globalThis.Date.parse(textOf(text ?? null)) / 1000;
  if (Number.isNaN(epoch)) throw logic(`Invalid ISO 8601 string: ${textOf(text ?? null)}`);
  return timeOf(epoch);
}

function random({ args, context: { environment }, options }: TermCall): Datum {
  const [low, high] =
    args.length === 2 ? args.map(numberOf) : [0, args.length === 1 ? numberOf(args[0] ?? null) : 1];
  const drawn = (low ?? 0) + environment.random() * ((high ?? 1) - (low ?? 0));
  const whole = args.length > 0 && !truth(options.get('float') ?? false);
  return whole ? Math.floor(drawn) : drawn;
}

const bits = (step: (a: number, b: number) => number): TermDefinition => ({
  arity: [2, many],
  run: ({ args }) => args.map(integerOf).reduce(step),
});

/** The first match of a regular expression (RE2: linear in the text, whatever the expression). */
function match({ args: [text = null, pattern = null] }: TermCall): Datum {
  const source = textOf(text);
  let matcher;
  try {
    matcher = RE2JS.compile(textOf(pattern)).matcher(source);
  } catch (error) {
    throw logic(`Error in regexp \`${textOf(pattern)}\`: ${(error as Error).message}`);
  }
  if (!matcher.find()) return null;
  const span = (group: number): Datum => {
    const found = matcher.group(group);
    if (found === null) return null;
    return { str: found, start: matcher.start(group), end: matcher.end(group) };
  };
  const groups = Array.from({ length: matcher.groupCount() }, (_, at) => span(at + 1));
  return { str: matcher.group() ?? '', start: matcher.start(), end: matcher.end(), groups };
}

export const scalarTerms: readonly (readonly [number, TermDefinition])[] = [
  [12, { arity: [0, 1], run: raise }],
  [17, compares((order) => order === 0)],
  [
    18,
    {
      arity: [2, many],
      run: (call) =>
        datums(call)
          .slice(1)
          .some((value) => compareDatum(datumOf(call.args[0] ?? null), value) !== 0),
    },
  ],
  [19, compares((order) => order < 0)],
  [20, compares((order) => order <= 0)],
  [21, compares((order) => order > 0)],
  [22, compares((order) => order >= 0)],
  [23, { arity: [1, 1], run: ({ args: [value] }) => !truth(value ?? null) }],
  [24, { arity: [1, many], run: add }],
  [25, { arity: [1, many], run: subtract }],
  [26, { arity: [1, many], run: multiply }],
  [27, { arity: [1, many], run: divide }],
  [28, { arity: [2, 2], run: modulo }],
  [52, { arity: [1, 1], run: typeOf }],
  [97, { arity: [2, 2], run: match }],
  [98, { arity: [1, 1], run: parseJson }],
  [99, { arity: [1, 1], options: ['default_timezone'], run: isoTime }],
  [
    100,
    {
      arity: [1, 1],
      run: ({ args: [time] }) =>
        dateAt(seconds(datumOf(time ?? null) as DatumObject))
          .toISOString()
          .replace('Z', '+00:00'),
    },
  ],
  [101, { arity: [1, 1], run: ({ args: [epoch] }) => timeOf(numberOf(epoch ?? null)) }],
  [
    102,
    { arity: [1, 1], run: ({ args: [time] }) => seconds(datumOf(time ?? null) as DatumObject) },
  ],
  [103, { arity: [0, 0], run: ({ context }) => timeOf(context.environment.now() / 1000) }],
  [128, part((date) => date.getUTCFullYear())],
  [129, part((date) => date.getUTCMonth() + 1)],
  [130, part((date) => date.getUTCDate())],
  [131, part((date) => date.getUTCDay() || 7)],
  [133, part((date) => date.getUTCHours())],
  [134, part((date) => date.getUTCMinutes())],
  [135, part((date) => date.getUTCSeconds() + date.getUTCMilliseconds() / 1000)],
  [141, { arity: [1, 1], run: ({ args: [text] }) => textOf(text ?? null).toUpperCase() }],
  [142, { arity: [1, 1], run: ({ args: [text] }) => textOf(text ?? null).toLowerCase() }],
  [149, { arity: [1, 3], run: splitText }],
  [151, { arity: [0, 2], options: ['float'], run: random }],
  [155, { arity: [1, 1], run: ({ args: [data] }) => datumOf(data ?? null) }],
  [169, { arity: [0, 1], run: ({ context }) => context.environment.uuid() }],
  [172, { arity: [1, 1], run: ({ args: [value] }) => canonicalText(datumOf(value ?? null)) }],
  [180, { arity: [0, 0], run: () => new BoundValue('minval') }],
  [181, { arity: [0, 0], run: () => new BoundValue('maxval') }],
  [183, rounding(Math.floor)],
  [184, rounding(Math.ceil)],
  [185, rounding((value) => Math.sign(value) * Math.round(Math.abs(value)))],
  [191, bits((a, b) => a & b)],
  [192, bits((a, b) => a | b)],
  [193, bits((a, b) => a ^ b)],
];

/** No attribute: the sentence that shows the object. */
export const noAttribute = (name: string, object: Value): RuntimeError =>
  new RuntimeError(
    errorType.nonExistence,
    `No attribute \`${name}\` in object:\n${prettyText(datumOf(object))}`,
    [],
  );
