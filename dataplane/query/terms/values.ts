import type { Datum } from '../../datum/datum.ts';
import { emptyObject, fieldOf, isObject } from '../../datum/object.ts';
import { canonicalText, parseText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import { determinism } from '../compiled.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { bool, define, option } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { Term } from '../term-table.ts';
import { errorType, RuntimeError } from '../errors.ts';
import { about, logic } from '../failure.ts';
import { emptyErrorMessage } from '../special-forms.ts';
import { arrayOf, datumOf, isSequence, numberOf, Special, textOf, truth } from '../value.ts';
import type { Value } from '../value.ts';
import { binaryOfText, isBinary, textOfBinary } from './binary.ts';
import { nameUuid } from './name-uuid.ts';
import { settled, whenDone } from './sequence-tools.ts';

/** Terms over any value: its type, its change into another, its text; errors and chance. */

const typeOf = ({ args: [value = null] }: TermCall): Datum =>
  value instanceof Special ? value.typeName : typeName(value);

function parseJson({ args: [text = null] }: TermCall): Datum {
  const source = textOf(text);
  let datum: Datum;
  try {
    datum = parseText(source);
  } catch {
    throw logic(`Failed to parse "${source}" as JSON: ${jsonComplaint(source)}`);
  }
  if (canonicalText(datum).length < source.replaceAll(/\s/g, '').length) refuseDuplicates(source);
  return datum;
}

function jsonComplaint(source: string): string {
  if (source.trim() === '') return 'The document is empty.';
  if (source.startsWith('[') && !source.endsWith(']'))
    return "Missing a comma or ']' after an array element.";
  return source.startsWith('{') && !source.endsWith('}')
    ? "Missing a comma or '}' after an object member."
    : 'Invalid value.';
}

/** A key that stands twice in one object would vanish unseen. */
function refuseDuplicates(source: string): void {
  const keys: Set<string>[] = [];
  for (const [token, key] of source.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') keys.push(new Set());
    else if (token === '}') keys.pop();
    else if (key !== undefined) {
      const name = JSON.parse(key) as string;
      if (keys.at(-1)?.has(name) === true)
        throw logic(`Duplicate key ${JSON.stringify(name)} in JSON.`);
      keys.at(-1)?.add(name);
    }
  }
}

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
    throw logic('Random number without bounds cannot be an integer.');
  const bounds = args.map((arg) => (wantsFloat ? numberOf(arg) : boundOf(arg)));
  const [low = 0, high = 1] = bounds.length === 1 ? [0, bounds[0]] : bounds;
  if (!wantsFloat && low >= high)
    throw logic(`Lower bound (${low}) is not less than upper bound (${high}).`);
  const drawn = low + environment.random() * (high - low);
  return wantsFloat ? drawn : Math.floor(drawn);
}

function boundOf(value: Value): number {
  const number = numberOf(value);
  if (Number.isInteger(number)) return number;
  throw about(logic(`Number not an integer: ${number}`), value);
}

const uuid = ({ args: [name], context }: TermCall): Datum =>
  name === undefined ? context.environment.uuid() : nameUuid(textOf(name));

/** The name of a type as `coerceTo` says it: pseudo-types without their brackets. */
const shortName = (datum: Datum): string => typeName(datum).replace(/^PTYPE<(.*)>$/, '$1');

function coerce({
  args: [value = null, wanted = null],
  context,
}: TermCall): Value | Promise<Value> {
  const type = textOf(wanted).toUpperCase();
  if (!knownTypes.has(type)) throw logic(`Unknown Type: ${type}`);
  if (type === 'STREAM' && isSequence(value)) return value;
  if (value instanceof Special && value.typeName === type) return value;
  return whenDone(settled(value, context), (datum) => coerced(datum, type));
}

const knownTypes = new Set(
  'ARRAY STRING BOOL OBJECT NUMBER BINARY NULL STREAM DB TABLE SELECTION FUNCTION'.split(' '),
);

function coerced(datum: Datum, type: string): Datum {
  if (type === shortName(datum)) return datum;
  if (type === 'BOOL') return truth(datum);
  if (isBinary(datum)) {
    if (type === 'STRING') return textOfBinary(datum);
    throw refusal(datum, type);
  }
  if (type === 'STRING') return canonicalText(datum);
  if (type === 'ARRAY' && isObject(datum) && typeName(datum) === 'OBJECT')
    return Object.entries(datum).map(([name, field]) => [name, field]);
  if (type === 'OBJECT' && Array.isArray(datum)) return objectOfPairs(datum as Datum[]);
  if (typeof datum === 'string' && type === 'NUMBER') return numberOfText(datum);
  if (typeof datum === 'string' && type === 'BINARY') return binaryOfText(datum);
  throw refusal(datum, type);
}

const refusal = (datum: Datum, type: string): Error =>
  logic(`Cannot coerce ${shortName(datum)} to ${type}.`);

function numberOfText(text: string): number {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(number)) return number;
  throw logic(`Could not coerce \`${text}\` to NUMBER.`);
}

function objectOfPairs(pairs: readonly Datum[]): Datum {
  const object = emptyObject();
  for (const pair of pairs) {
    const parts = arrayOf(pair);
    if (parts.length !== 2) throw logic(`Expected array of size 2, but got size ${parts.length}.`);
    const name = textOf(parts[0] ?? null);
    if (fieldOf(object, name) !== undefined)
      throw logic(`Duplicate key \`${name}\` in coerced object.`);
    object[name] = parts[1] ?? null;
  }
  return object;
}

function binary({ args: [value = null] }: TermCall): Datum {
  const datum = datumOf(value);
  return isBinary(datum) ? datum : binaryOfText(textOf(value));
}

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
  [
    Term.TO_JSON_STRING,
    { arity: [1, 1], run: ({ args: [value] }) => canonicalText(datumOf(value ?? null)) },
  ],
];
