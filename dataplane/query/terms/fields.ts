import type { Datum, DatumObject } from '../../datum/datum.ts';
import {
  emptyObject,
  fieldOf,
  isObject,
  objectOf,
  pseudoType,
  sortedKeys,
} from '../../datum/object.ts';
import { fieldName } from '../../datum/field-of-text.ts';
import { checkedObject } from '../../datum/pseudo-type.ts';
import { prettyText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import type { RowTerm, ScanStep } from '../../wire/pushed-scan.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { Term } from '../term-table.ts';
import { RuntimeError } from '../errors.ts';
import { about, logic, nonExistence } from '../failure.ts';
import { after, eachOf, whenDone } from '../maybe-async.ts';
import { itemwise } from '../stream.ts';
import type { ItemStep } from '../stream.ts';
import { arrayValue, datumOf, textOf } from '../value-reading.ts';
import {
  BoundArray,
  BoundObject,
  holdsBound,
  isSequence,
  RowValue,
  OpaqueValue,
} from '../value.ts';
import { textOfValue } from '../value-text.ts';
import { argumentOf, datumOfItem } from '../item.ts';
import type { Value } from '../value.ts';
import { sizeOf } from '../work/size.ts';
import type { Work } from '../work/work.ts';
import { droppedIn, has, patternOf, picked } from './patterns.ts';
import { derived, itemsMapped, itemsNow, resultsOf, tableOf, through } from './sequence-tools.ts';
import type { ItemFunction } from './sequence-tools.ts';

/** Objects and their fields: of one object, or of each object of a sequence. */
const many = Number.POSITIVE_INFINITY;

/** The object that a term of this name looks into. */
function objectFor(name: string, value: Value): DatumObject {
  const refusal = (shown: string): string =>
    `Cannot perform ${name} on a non-object non-sequence \`${shown}\`.`;
  if (value instanceof OpaqueValue && !(value instanceof RowValue || holdsBound(value)))
    throw about(logic(refusal(value.shown)), value);
  const datum = datumOf(value);
  if (!isObject(datum)) {
    const message = refusal(prettyText(datum));
    throw about(datum === null ? nonExistence(message) : logic(message), value);
  }
  return ordinary(name, datum);
}

function ordinary(name: string, object: DatumObject): DatumObject {
  const type = pseudoType(object);
  if (type === undefined || type === 'LITERAL') return object;
  throw about(logic(`Cannot call \`${name}\` on objects of type \`PTYPE<${type}>\`.`), object);
}

function refuseNested(name: string, item: Datum): void {
  if (Array.isArray(item)) throw logic(`Cannot perform ${name} on a sequence of sequences.`);
}

type FieldStep = (
  object: DatumObject,
  rest: readonly Value[],
  work: Work | undefined,
) => Datum | Promise<Datum>;

/** Applies to an object, or to each object of a sequence. */
export const overObjects =
  (name: RowTerm, each: FieldStep) =>
  ({ args: [target = null, ...rest], context }: TermCall): Value | Promise<Value> => {
    const { work } = context;
    if (!isSequence(target)) return each(objectFor(name, target), rest, work);
    const step: ItemStep = (item, results) => {
      work?.spend(rest.length);
      const datum = datumOfItem(item);
      refuseNested(name, datum);
      return whenDone(each(objectFor(name, datum), rest, work), (result) => {
        work?.memory.charge(sizeOf(result));
        results.push(result);
      });
    };
    return through(target, step, context, () => applied(name, rest));
  };

/** The term as a step of a scan, when its arguments are data. */
function applied(term: RowTerm, rest: readonly Value[]): ScanStep | undefined {
  if (rest.some((value) => value instanceof OpaqueValue)) return undefined;
  return { type: 'apply', term, args: rest.map((value) => textOfValue(value as Datum)) };
}

/** No attribute: the sentence that shows the object. */
const noAttribute = (name: string, object: Datum): Error =>
  nonExistence(`No attribute \`${name}\` in object:\n${prettyText(object)}`);

/** A field of an object, which may hold bounds. */
function fieldIn(target: Value, name: string, term: string): Value | undefined {
  return target instanceof BoundObject
    ? target.fields.get(name)
    : fieldOf(objectFor(term, target), name);
}

function getField(target: Value, name: string, term = 'get_field'): Value {
  const value = fieldIn(target, name, term);
  if (value === undefined) throw noAttribute(name, datumOf(target));
  return value;
}

/** A field's name as a function: its errors stand where the name does. What is no text is refused by a call. */
export function fieldFunction(by: Value): ItemFunction {
  const field = typeof by === 'string' ? fieldName(by) : undefined;
  const fields = field === undefined ? undefined : [field];
  return (item) => {
    try {
      return getField(argumentOf(item, fields), textOf(by));
    } catch (error) {
      throw error instanceof RuntimeError ? about(error, by) : error;
    }
  };
}

/** A field of one object, or of those objects of a sequence that have it. */
export function fieldTerm(term: 'get_field' | 'bracket') {
  return ({ args: [target = null, name = null], context }: TermCall): Value | Promise<Value> => {
    const field = textOf(name);
    if (target instanceof BoundArray)
      return arrayValue(
        target.items.flatMap((item) => {
          if (item instanceof BoundArray) refuseNested(term, []);
          const value = fieldIn(item, field, term);
          return value === undefined ? [] : [value];
        }),
      );
    if (!isSequence(target)) return getField(target, field, term);
    return itemsMapped(
      target,
      context,
      (item) => {
        refuseNested(term, item);
        return fieldOf(objectFor(term, item), field);
      },
      () => applied(term, [field]),
    );
  };
}

/** An object with true in place of each bound: for what asks for its fields alone. */
function shapeOf(object: BoundObject): DatumObject {
  const known = shapes.get(object);
  if (known !== undefined) return known;
  const shaped = (value: Value): Datum =>
    value instanceof BoundObject ? shapeOf(value) : holdsBound(value) ? true : datumOf(value);
  const shape = objectOf(Array.from(object.fields, ([name, value]) => [name, shaped(value)]));
  shapes.set(object, shape);
  return shape;
}

const shapes = new WeakMap<BoundObject, DatumObject>();

function hasFields({ args: [target = null, ...rest], context }: TermCall): Value | Promise<Value> {
  const patterns = rest.map(patternOf);
  if (target instanceof BoundObject) return has(shapeOf(target), patterns);
  if (!isSequence(target)) return has(objectFor('has_fields', target), patterns);
  const step: ItemStep = (item, results) => {
    const datum = datumOfItem(item);
    context.work?.spend(patterns.length);
    refuseNested('has_fields', datum);
    if (has(objectFor('has_fields', datum), patterns)) results.push(item);
  };
  const now = itemsNow(target);
  if (now === undefined)
    return derived(target, {
      context,
      steps: (source) => itemwise(source, step, context.work),
      asData: () => applied('has_fields', patterns),
      table: tableOf(target),
    });
  return whenDone(resultsOf(now, step, context.work), (items) => items.map(datumOfItem));
}

function withFields({ args: [target = null, ...rest], context }: TermCall): Value | Promise<Value> {
  const patterns = rest.map(patternOf);
  if (!isSequence(target)) objectFor('has_fields', target);
  return itemsMapped(
    target,
    context,
    (item) => {
      context.work?.spend(patterns.length);
      refuseNested('has_fields', item);
      const object = objectFor('has_fields', item);
      return has(object, patterns) ? picked(object, patterns) : undefined;
    },
    () => applied('with_fields', patterns),
  );
}

function fieldsOf(name: string, value: Value): DatumObject {
  const datum = datumOf(value);
  if (isObject(datum) && pseudoType(datum) === undefined) return datum;
  const message = `Cannot call \`${name}\` on objects of type \`${typeName(datum)}\`.`;
  throw about(datum === null ? nonExistence(message) : logic(message), value);
}

const keys = ({ args: [object = null] }: TermCall): Value =>
  sortedKeys(object instanceof BoundObject ? shapeOf(object) : fieldsOf('keys', object));

function values({ args: [object = null] }: TermCall): Value {
  if (object instanceof BoundObject)
    return arrayValue(sortedKeys(shapeOf(object)).map((key) => object.fields.get(key) ?? null));
  const found = fieldsOf('values', object);
  return sortedKeys(found).map((key) => found[key] as Datum);
}

function objectTerm({ args, context }: TermCall): Value | Promise<Value> {
  if (args.length % 2 === 1)
    throw logic(`OBJECT expects an even number of arguments (but found ${args.length}).`);
  const object = emptyObject();
  const done = eachOf(args, context.work, (given, at) => {
    if (at % 2 === 1) return;
    const name = textOf(given);
    const value = datumOf(args[at + 1] ?? null);
    const before = fieldOf(object, name);
    if (before !== undefined)
      throw logic(
        `Duplicate key "${name}" in object.  (got ${prettyText(before)} and ${prettyText(value)} as values)`,
      );
    object[name] = value;
  });
  return after<Value>(done, () => checkedObject(object));
}

const patternsOf = (rest: readonly Value[]): Datum[] => rest.map(patternOf);

export const fieldTerms: readonly TermEntry[] = [
  [Term.GET_FIELD, { arity: [2, 2], run: fieldTerm('get_field') }],
  [Term.HAS_FIELDS, { arity: [1, many], run: hasFields }],
  [
    Term.PLUCK,
    {
      arity: [1, many],
      run: overObjects('pluck', (object, rest) => picked(object, patternsOf(rest))),
    },
  ],
  [
    Term.WITHOUT,
    {
      arity: [1, many],
      run: overObjects('without', (object, rest, work) =>
        droppedIn(object, patternsOf(rest), work),
      ),
    },
  ],
  [Term.KEYS, { arity: [1, 1], run: keys }],
  [Term.WITH_FIELDS, { arity: [1, many], run: withFields }],
  [Term.OBJECT, { arity: [0, many], run: objectTerm }],
  [Term.VALUES, { arity: [1, 1], run: values }],
];
