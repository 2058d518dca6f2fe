import type { Datum, DatumObject } from '../../datum/datum.ts';
import {
  copyObject,
  emptyObject,
  fieldOf,
  isObject,
  objectOf,
  pseudoType,
  sortedKeys,
} from '../../datum/object.ts';
import type { TermCall, TermDefinition } from '../compiled.ts';
import { logic, wrongDatum } from '../failure.ts';
import {
  arrayOf,
  datumOf,
  FunctionValue,
  integerOf,
  isSequence,
  objectOfValue,
  RowValue,
  textOf,
} from '../value.ts';
import type { Value } from '../value.ts';
import { itemsMapped } from './sequence-tools.ts';
import { noAttribute } from './scalar.ts';

/** Objects and their fields, and arrays as values. */
const many = Number.POSITIVE_INFINITY;

const isLiteral = (datum: Datum): datum is DatumObject =>
  isObject(datum) && pseudoType(datum) === 'LITERAL';

/** `right` laid over `left`: objects field by field, everything else replaces; a literal replaces as it is. */
export function merged(left: Datum, right: Datum): Datum {
  if (isLiteral(right)) return fieldOf(right, 'value') ?? null;
  if (!isObject(right) || pseudoType(right) !== undefined) return right;
  const result =
    isObject(left) && pseudoType(left) === undefined ? copyObject(left) : emptyObject();
  for (const [name, value] of Object.entries(right)) {
    if (isLiteral(value) && !Object.hasOwn(value, 'value')) delete result[name];
    else result[name] = merged(result[name] ?? null, value);
  }
  return result;
}

/** A pattern of fields: names, nested objects of names, arrays of them. */
function picked(object: DatumObject, pattern: Datum): DatumObject {
  const result = emptyObject();
  for (const [name, inner] of patternFields(pattern)) {
    const value = fieldOf(object, name);
    if (value === undefined) continue;
    if (inner === true) result[name] = value;
    else if (isObject(value)) result[name] = merged(result[name] ?? null, picked(value, inner));
    else if (Array.isArray(value))
      result[name] = (value as Datum[]).filter(isObject).map((item) => picked(item, inner));
  }
  return result;
}

function dropped(object: DatumObject, pattern: Datum): DatumObject {
  const result = copyObject(object);
  for (const [name, inner] of patternFields(pattern)) {
    const value = fieldOf(result, name);
    if (inner === true) delete result[name];
    else if (value !== undefined && isObject(value)) result[name] = dropped(value, inner);
  }
  return result;
}

function* patternFields(pattern: Datum): Generator<[string, Datum]> {
  if (typeof pattern === 'string') yield [pattern, true];
  else if (Array.isArray(pattern))
    for (const item of pattern as Datum[]) yield* patternFields(item);
  else if (isObject(pattern)) yield* Object.entries(pattern);
  else throw wrongDatum('STRING', pattern);
}

function has(object: DatumObject, pattern: Datum): boolean {
  return [...patternFields(pattern)].every(([name, inner]) => {
    const value = fieldOf(object, name);
    if (value === undefined || value === null) return false;
    return inner === true || (isObject(value) && has(value, inner));
  });
}

/** Applies to an object, or to each object of a sequence. */
const overObjects =
  (each: (object: DatumObject, args: readonly Datum[]) => Datum) =>
  ({ args: [target, ...rest], context }: TermCall): Value | Promise<Value> => {
    const patterns = rest.map(datumOf);
    if (target !== undefined && isSequence(target)) {
      return itemsMapped(target, context, (item) => each(objectOfValue(item), patterns));
    }
    return each(objectOfValue(target ?? null), patterns);
  };

function mergeTerm({ args: [target, ...rest], context }: TermCall): Value | Promise<Value> {
  const one = (left: Datum): Datum =>
    rest.reduce<Datum>(
      (object, right) =>
        merged(
          objectOfValue(object),
          right instanceof FunctionValue ? datumOf(right.call([object]) as Value) : datumOf(right),
        ),
      left,
    );
  return target !== undefined && isSequence(target)
    ? itemsMapped(target, context, one)
    : one(datumOf(target ?? null));
}

export function getField(target: Value, name: string): Datum {
  const object = objectOfValue(target);
  const value = fieldOf(object, name);
  if (value === undefined) throw noAttribute(name, object);
  return value;
}

function fieldTerm({
  args: [target = null, name = null],
  context,
}: TermCall): Value | Promise<Value> {
  const field = textOf(name);
  if (!isSequence(target)) return getField(target, field);
  return itemsMapped(target, context, (item) =>
    isObject(item) ? fieldOf(item, field) : undefined,
  );
}

export function nthOf(array: readonly Datum[], position: number): Datum {
  const at = position < 0 ? array.length + position : position;
  const item = array[at];
  if (item === undefined) throw noIndex(position);
  return item;
}

export const noIndex = (position: number): Error => wrongIndex(`Index out of bounds: ${position}`);
const wrongIndex = (message: string): Error =>
  Object.assign(logic(message), { type: 3_100_000 as const });

function setOperation(
  keep: (left: readonly string[], right: readonly string[]) => (text: string) => boolean,
  both: boolean,
) {
  return ({ args: [left = null, right = null] }: TermCall): Datum => {
    const [a, b] = [arrayOf(left), arrayOf(right)];
    const [keysA, keysB] = [a, b].map((array) => array.map((item) => JSON.stringify(item))) as [
      string[],
      string[],
    ];
    const holds = keep(keysA, keysB);
    const seen = new Set<string>();
    return (both ? [...a, ...b] : a).filter((item) => {
      const key = JSON.stringify(item);
      if (seen.has(key) || !holds(key)) return false;
      seen.add(key);
      return true;
    });
  };
}

function changeArray(change: (array: Datum[], position: number, values: readonly Value[]) => void) {
  return ({ args: [target = null, position = null, ...values] }: TermCall): Datum => {
    const array = [...arrayOf(target)];
    const at = integerOf(position);
    change(array, at < 0 ? array.length + at : at, values);
    return array;
  };
}

export const objectTerms: readonly (readonly [number, TermDefinition])[] = [
  [
    29,
    {
      arity: [2, 2],
      run: ({ args: [array = null, item = null] }) => [...arrayOf(array), datumOf(item)],
    },
  ],
  [
    80,
    {
      arity: [2, 2],
      run: ({ args: [array = null, item = null] }) => [datumOf(item), ...arrayOf(array)],
    },
  ],
  [
    82,
    {
      arity: [3, 3],
      run: changeArray((array, at, [value = null]) => array.splice(at, 0, datumOf(value))),
    },
  ],
  [
    83,
    {
      arity: [2, 3],
      run: changeArray((array, at, [end]) =>
        array.splice(at, end === undefined ? 1 : integerOf(end) - at),
      ),
    },
  ],
  [
    84,
    {
      arity: [3, 3],
      run: changeArray((array, at, [value = null]) => array.splice(at, 1, datumOf(value))),
    },
  ],
  [
    85,
    {
      arity: [3, 3],
      run: changeArray((array, at, [value = null]) => array.splice(at, 0, ...arrayOf(value))),
    },
  ],
  [
    88,
    {
      arity: [2, 2],
      run: (call) =>
        setOperation(
          () => () => true,
          true,
        )({ ...call, args: [call.args[0] ?? null, [datumOf(call.args[1] ?? null)]] }),
    },
  ],
  [89, { arity: [2, 2], run: setOperation((_, right) => (key) => right.includes(key), false) }],
  [90, { arity: [2, 2], run: setOperation(() => () => true, true) }],
  [91, { arity: [2, 2], run: setOperation((_, right) => (key) => !right.includes(key), false) }],
  [31, { arity: [2, 2], run: fieldTerm }],
  [32, { arity: [1, many], run: overHas }],
  [33, { arity: [1, many], run: overObjects((object, patterns) => picked(object, patterns)) }],
  [34, { arity: [1, many], run: overObjects((object, patterns) => dropped(object, patterns)) }],
  [35, { arity: [1, many], run: mergeTerm }],
  [94, { arity: [1, 1], run: ({ args: [object = null] }) => sortedKeys(objectOfValue(object)) }],
  [
    186,
    {
      arity: [1, 1],
      run: ({ args: [object = null] }) => {
        const found = objectOfValue(object);
        return sortedKeys(found).map((key) => found[key] as Datum);
      },
    },
  ],
  [
    96,
    {
      arity: [1, many],
      run: ({ args: [target = null, ...rest], context }) =>
        itemsMapped(target, context, (item) => {
          const patterns = rest.map(datumOf);
          return isObject(item) && has(item, patterns) ? picked(item, patterns) : undefined;
        }),
    },
  ],
  [
    137,
    {
      arity: [0, 1],
      run: ({ args: [value] }) =>
        objectOf([
          ['$reql_type$', 'LITERAL'],
          ...(value === undefined ? [] : [['value', datumOf(value)] as const]),
        ]),
    },
  ],
  [
    143,
    {
      arity: [0, many],
      run: ({ args }) =>
        objectOf(
          args.flatMap((name, at) =>
            at % 2 === 0 ? [[textOf(name), datumOf(args[at + 1] ?? null)] as const] : [],
          ),
        ),
    },
  ],
];

function overHas({ args: [target = null, ...rest], context }: TermCall): Value | Promise<Value> {
  const patterns = rest.map(datumOf);
  if (isSequence(target))
    return itemsMapped(target, context, (item) =>
      isObject(item) && has(item, patterns) ? item : undefined,
    );
  const datum = datumOf(target instanceof RowValue ? target.datum : target);
  return isObject(datum) && has(datum, patterns);
}
