import type { Datum } from '../../datum/datum.ts';
import { finite } from '../../datum/input.ts';
import { emptyObject, fieldOf, isObject } from '../../datum/object.ts';
import { checkedObject } from '../../datum/pseudo-type.ts';
import { prettyText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import { determinism } from '../determinism.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { bool, define, option } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { Term } from '../term-table.ts';
import { errorType, RuntimeError } from '../errors.ts';
import { about, logic } from '../failure.ts';
import { after, eachOf, mapOf, whenDone } from '../maybe-async.ts';
import { emptyErrorMessage } from '../special-forms.ts';
import {
  arrayOf,
  datumOf,
  exactText,
  isExactInteger,
  numberOf,
  textOf,
  truth,
} from '../value-reading.ts';
import { BoundValue, isSequence, RowValue, OpaqueValue } from '../value.ts';
import type { Value } from '../value.ts';
import { canonicalTextIn } from '../work/answer-text.ts';
import type { Work } from '../work/work.ts';
import { binaryOfText, isBinary, textOfBinary } from './binary.ts';
import { parseJson } from './json.ts';
import { nameUuidIn } from './name-uuid.ts';
import { scanNumber } from './scan-number.ts';
import { settled } from './sequence-tools.ts';

/** Terms over any value: its type, its change into another, its text; errors and chance. */

const typeOf = ({ args: [value = null] }: TermCall): Datum =>
  value instanceof OpaqueValue ? value.typeName : typeName(value);

function raise({ args: [message] }: TermCall): Datum {
  throw message === undefined
    ? new RuntimeError(errorType.nonExistence, emptyErrorMessage, [])
    : new RuntimeError(errorType.user, textOf(message), []);
}

const randomOptions = {
  float: option(
    bool,
    'Whether the number has a fraction; without it, it has one when no bounds are given.',
  ),
} as const;

function random({
  args,
  context: { environment },
  options: { float },
}: TermCall<OptionValues<typeof randomOptions>>): Datum {
  const wantsFloat = float ?? args.length === 0;
  if (args.length === 0 && float !== undefined && !wantsFloat)
    throw logic('Generating a random integer requires one or two bounds.');
  const bounds = args.map(numberOf);
  const [low = 0, high = 1] = bounds.length === 1 ? [0, bounds[0]] : bounds;
  const draw = (): number => environment.random();
  return wantsFloat ? randomBetween(low, high, draw) : randomInteger(low, high, draw);
}

/** From `low` to less than `high`, or down to more than `high`. */
function randomBetween(low: number, high: number, draw: () => number): number {
  // The distance may be beyond doubles: both parts are not.
  const part = draw();
  const drawn = low * (1 - part) + high * part;
  return (high > low ? drawn >= high || drawn < low : drawn <= high || drawn > low) ? low : drawn;
}

function randomInteger(low: number, high: number, draw: () => number): number {
  for (const [name, bound] of [['Lower', low] as const, ['Upper', high] as const]) {
    if (!isExactInteger(bound))
      throw logic(
        `${name} bound (${exactText(bound)}) could not be safely converted to an integer.`,
      );
  }
  if (low >= high) throw logic(`Lower bound (${low}) is not less than upper bound (${high}).`);
  // Two draws give the 54 bits that the widest range needs.
  const range = BigInt(high) - BigInt(low);
  const bits = (BigInt(Math.floor(draw() * 2 ** 32)) << 32n) | BigInt(Math.floor(draw() * 2 ** 32));
  return Number(BigInt(low) + ((range * bits) >> 64n));
}

const uuid = ({ args: [name], context }: TermCall): Datum | Promise<Datum> =>
  name === undefined ? context.environment.uuid() : nameUuidIn(textOf(name), context.work);

/** The name of a type as `coerceTo` says it: pseudo-types without their brackets. */
const shortName = (datum: Datum): string => typeName(datum).replace(/^PTYPE<(.*)>$/, '$1');

function coerce({
  args: [value = null, wanted = null],
  context,
}: TermCall): Value | Promise<Value> {
  const type = textOf(wanted).toUpperCase();
  if (!knownTypes.has(type)) throw logic(`Unknown Type: ${type}`);
  if (type === 'STREAM' && isSequence(value)) return value;
  if (value instanceof OpaqueValue && value.typeName === type) return value;
  if (value instanceof OpaqueValue && !(value instanceof RowValue || value instanceof BoundValue)) {
    if (type === 'BOOL') return true;
    if (!isSequence(value) || !(type === 'ARRAY' || type === 'OBJECT'))
      throw refusal(value, value.typeName, type);
  }
  const { work } = context;
  return whenDone(settled(value, context), (datum) =>
    coerced(datum, type, { subject: value, work }),
  );
}

const knownTypes = new Set(
  [
    'DB TABLE TABLE_SLICE SELECTION<STREAM> SELECTION<ARRAY> STREAM SELECTION<OBJECT> DATUM FUNCTION',
    'GROUPED_DATA NULL BINARY BOOL NUMBER STRING ARRAY OBJECT MINVAL MAXVAL',
  ].flatMap((names) => names.split(' ')),
);

interface Coercion {
  /** What a refusal is about. */
  readonly subject: Value;
  readonly work: Work | undefined;
}

/** A datum as another type. */
export function coerced(
  datum: Datum,
  type: string,
  { subject, work }: Coercion,
): Datum | Promise<Datum> {
  if (type === shortName(datum)) return datum;
  if (type === 'BOOL') return truth(datum);
  if (isBinary(datum)) {
    if (type === 'STRING') return textOfBinary(datum);
    throw refusal(subject, shortName(datum), type);
  }
  if (type === 'STRING') return canonicalTextIn(datum, work);
  if (type === 'ARRAY' && isObject(datum) && typeName(datum) === 'OBJECT')
    return mapOf(Object.keys(datum), work, (name) => [name, datum[name] as Datum]);
  if (type === 'OBJECT' && Array.isArray(datum)) return objectOfPairs(datum as Datum[], work);
  if (typeof datum === 'string' && type === 'NUMBER') return numberOfText(datum);
  if (typeof datum === 'string' && type === 'BINARY') return binaryOfText(datum);
  throw refusal(subject, shortName(datum), type);
}

const refusal = (subject: Value, from: string, to: string): Error =>
  about(logic(`Cannot coerce ${from} to ${to}.`), subject);

function numberOfText(text: string): number {
  const number = scanNumber(text);
  if (number === undefined) throw logic(`Could not coerce \`${text}\` to NUMBER.`);
  return finite(number);
}

function objectOfPairs(pairs: readonly Datum[], work: Work | undefined): Datum | Promise<Datum> {
  const object = emptyObject();
  const done = eachOf(pairs, work, (pair) => {
    const parts = arrayOf(pair);
    if (parts.length !== 2) throw logic(`Expected array of size 2, but got size ${parts.length}.`);
    const name = textOf(parts[0] ?? null);
    const before = fieldOf(object, name);
    const value = parts[1] ?? null;
    if (before !== undefined)
      throw logic(
        `Duplicate key ${JSON.stringify(name)} in coerced object.  (got ${prettyText(before)} and ${prettyText(value)} as values)`,
      );
    object[name] = value;
  });
  return after(done, () => checkedObject(object));
}

function binary({ args: [value = null] }: TermCall): Datum {
  const datum = datumOf(value);
  return isBinary(datum) ? datum : binaryOfText(textOf(value));
}

const toJson = ({ args: [value = null], context }: TermCall): Value | Promise<Value> =>
  canonicalTextIn(datumOf(value), context.work);

export const valueTerms: readonly TermEntry[] = [
  [Term.ERROR, { arity: [0, 1], run: raise }],
  [Term.COERCE_TO, { arity: [2, 2], run: coerce }],
  [Term.TYPE_OF, { arity: [1, 1], grouped: true, run: typeOf }],
  [Term.JSON, { arity: [1, 1], run: parseJson }],
  [
    Term.RANDOM,
    define({
      arity: [0, 2],
      options: randomOptions,
      determinism: determinism.never,
      run: random,
    }),
  ],
  [Term.BINARY, { arity: [1, 1], run: binary }],
  [Term.UUID, { arity: [0, 1], determinism: determinism.never, run: uuid }],
  [Term.TO_JSON_STRING, { arity: [1, 1], run: toJson }],
];
