import type { Datum, DatumArray, DatumObject } from '../datum/datum.ts';
import type { FieldName } from '../datum/field-of-text.ts';
import { isObject } from '../datum/object.ts';
import { prettyText } from '../datum/text.ts';
import { typeName } from '../datum/type-name.ts';
import type { Determinism } from './determinism.ts';
import type { DatabaseInfo, TableInfo } from './environment.ts';
import type { EncodedRange, TableAccess } from '../wire/table-access.ts';
import { DamagedDocumentError } from './errors.ts';
import type { RuntimeError } from './errors.ts';
import { about, logic, nonExistence } from './failure.ts';
import type { BoundSides } from './bound-sides.ts';
import type { Item, StoredRow } from './item.ts';
import type { Stream } from './stream.ts';
import type { Work } from './work/work.ts';

/** What a term can evaluate to, beside a datum. */
export abstract class Special {
  /** What `typeOf` answers. */
  abstract readonly typeName: string;

  /** As errors name it. */
  get errorName(): string {
    return this.typeName;
  }

  /** As errors show it. */
  get shown(): string {
    return `VALUE ${this.errorName}`;
  }
}

export type Value = Datum | Special;

export class DatabaseValue extends Special {
  override readonly typeName = 'DATABASE';
  readonly info: DatabaseInfo;
  constructor(info: DatabaseInfo) {
    super();
    this.info = info;
  }

  override get shown(): string {
    return `db("${this.info.name}")`;
  }
}

export class TableValue extends Special {
  override readonly typeName = 'TABLE';
  readonly info: TableInfo;
  readonly access: TableAccess;
  /** Of the query that reads it: long reads pause between batches. */
  readonly work: Work | undefined;
  constructor(info: TableInfo, access: TableAccess, work: Work | undefined) {
    super();
    this.work = work;
    this.info = info;
    this.access = access;
  }

  override get shown(): string {
    return `table("${this.info.name}")`;
  }
}

const selectionOn = (table: TableValue): string => `SELECTION ON table(${table.info.name})`;

interface SliceBounds {
  readonly left: Value;
  readonly right: Value;
  readonly sides: BoundSides;
}

/** A table read in an index's order, between bounds: what `between` and indexed `orderBy` answer. */
export class SliceValue extends Special {
  override readonly typeName = 'TABLE_SLICE';
  readonly table: TableValue;
  /** The index that bounds or orders it; undefined is the primary one. */
  readonly index: string;
  readonly range: EncodedRange | undefined;
  /** What `between` was called with. */
  readonly bounds: SliceBounds | undefined;
  /** Whether `orderBy` was called on it. */
  readonly order: 'ascending' | 'descending' | undefined;
  constructor(
    table: TableValue,
    index: string,
    shape: Pick<SliceValue, 'range' | 'bounds' | 'order'>,
  ) {
    super();
    this.table = table;
    this.index = index;
    this.range = shape.range;
    this.bounds = shape.bounds;
    this.order = shape.order;
  }

  override get shown(): string {
    return selectionOn(this.table);
  }
}

/** Documents of a table in an order of their own: what `orderBy` without an index answers. */
export class ArraySelection extends Special {
  override readonly typeName = 'SELECTION<ARRAY>';
  readonly items: readonly Item[];
  readonly table: TableValue;
  constructor(items: readonly Item[], table: TableValue) {
    super();
    this.items = items;
    this.table = table;
  }

  override get errorName(): string {
    return 'SELECTION';
  }

  override get shown(): string {
    return selectionOn(this.table);
  }
}

/** One document of a table, there or not: what `get` answers. */
export class RowValue extends Special {
  override readonly typeName = 'SELECTION<OBJECT>';
  readonly table: TableValue;
  readonly key: Uint8Array;
  readonly primaryKey: Datum;
  readonly #row: StoredRow | DamagedDocumentError | undefined;
  constructor(
    table: TableValue,
    at: { readonly key: Uint8Array; readonly primaryKey: Datum },
    row: StoredRow | DamagedDocumentError | undefined,
  ) {
    super();
    this.table = table;
    this.key = at.key;
    this.primaryKey = at.primaryKey;
    this.#row = row;
  }

  /** Whether it is there and cannot be read: asking for it throws. */
  get isDamaged(): boolean {
    return this.#row instanceof DamagedDocumentError;
  }

  get row(): StoredRow | undefined {
    if (this.#row instanceof DamagedDocumentError) throw this.#row;
    return this.#row;
  }

  get datum(): Datum {
    return this.row?.datum ?? null;
  }

  override get errorName(): string {
    return 'SINGLE_SELECTION';
  }

  override get shown(): string {
    return prettyText(this.datum);
  }
}

/** A sequence that is read batch by batch; of stored rows of one table when `table` is there. */
export class StreamValue extends Special {
  readonly stream: Stream;
  readonly table: TableValue | undefined;
  /** Whether it has no end. */
  readonly infinite: boolean;
  constructor(stream: Stream, table?: TableValue, infinite = false) {
    super();
    this.stream = stream;
    this.table = table;
    this.infinite = infinite;
  }

  override get errorName(): string {
    return this.table === undefined ? 'SEQUENCE' : 'SELECTION';
  }

  override get shown(): string {
    return this.table === undefined ? super.shown : selectionOn(this.table);
  }

  override get typeName(): string {
    return this.table === undefined ? 'STREAM' : 'SELECTION<STREAM>';
  }
}

/** A function with its surroundings. */
export class FunctionValue extends Special {
  override readonly typeName = 'FUNCTION';
  /** Number of parameters. */
  readonly arity: number;
  /** Whether calling it needs no waiting. */
  readonly pure: boolean;
  /** How far what it answers follows from its arguments. */
  readonly determinism: Determinism;
  readonly call: (args: readonly Value[]) => Value | Promise<Value>;
  /** The term that it was compiled from, for definitions that are stored. */
  readonly term: unknown;
  /** Whether it is written as an object, which `filter` takes for a pattern. */
  readonly isPattern: boolean;
  /** All that it reads of a document that it is called with; undefined when that is not known. */
  readonly readFields: readonly FieldName[] | undefined;
  /** The values of the parameters of the functions around it, by their numbers. */
  readonly captured: () => ReadonlyMap<number, Value>;
  /** What it appends to its first argument, when that is all that it does. */
  readonly appended: FunctionValue['call'] | undefined;
  /** What stands in its place, when that is the same for all arguments. */
  readonly constant: (() => Value | Promise<Value>) | undefined;
  constructor(
    shape: Pick<FunctionValue, 'arity' | 'pure' | 'determinism' | 'term'> &
      Partial<Pick<FunctionValue, 'appended' | 'captured' | 'isPattern' | 'readFields'>>,
    call: FunctionValue['call'],
    constant?: () => Value | Promise<Value>,
  ) {
    super();
    this.isPattern = shape.isPattern ?? false;
    this.readFields = shape.readFields;
    this.captured = shape.captured ?? (() => new Map());
    this.constant = constant;
    this.appended = shape.appended;
    this.arity = shape.arity;
    this.pure = shape.pure;
    this.determinism = shape.determinism;
    this.term = shape.term;
    this.call = call;
  }
}

/** The ends of the order of all values; only for bounds. */
export class BoundValue extends Special {
  readonly end: 'minval' | 'maxval';
  constructor(end: 'minval' | 'maxval') {
    super();
    this.end = end;
  }

  override get typeName(): string {
    return this.end === 'minval' ? 'MINVAL' : 'MAXVAL';
  }
}

/** An array with bounds in it; only for bounds. */
export class BoundArray extends Special {
  override readonly typeName = 'ARRAY';
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }
}

/** An object with bounds in it: a value that no table takes. */
export class BoundObject extends Special {
  override readonly typeName = 'OBJECT';
  readonly fields: ReadonlyMap<string, Value>;
  constructor(fields: ReadonlyMap<string, Value>) {
    super();
    this.fields = fields;
  }
}

export const holdsBound = (value: Value): value is BoundValue | BoundArray | BoundObject =>
  value instanceof BoundValue || value instanceof BoundArray || value instanceof BoundObject;

/** Items as an array, whatever they are. */
export const arrayValue = (items: readonly Value[]): Value =>
  items.some(holdsBound) ? new BoundArray(items) : items.map(datumOf);

/** An array literal among the options of a term, whose items may be functions. */
export class ListValue extends Special {
  override readonly typeName = 'ARRAY';
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }
}

export interface Group {
  readonly key: Datum;
  readonly value: Value;
}

/** Values by group: terms apply to each of them until `ungroup` or the end of the query. */
export class GroupedValue extends Special {
  override readonly typeName = 'GROUPED_DATA';
  readonly groups: readonly Group[];
  constructor(groups: readonly Group[]) {
    super();
    this.groups = groups;
  }
}

/** What can be read item by item. */
export type Sequence = DatumArray | TableValue | SliceValue | StreamValue | ArraySelection;

export const isSequence = (value: Value): value is Sequence =>
  Array.isArray(value) ||
  value instanceof TableValue ||
  value instanceof StreamValue ||
  value instanceof SliceValue ||
  value instanceof ArraySelection;

const datumTypes = new Set(['NUMBER', 'STRING', 'BOOL', 'ARRAY', 'OBJECT', 'PTYPE<TIME>']);

/** A value of another type than wanted, in RethinkDB's words. */
export function wrongValue(expected: string, value: Value): RuntimeError {
  if (value instanceof Special && !(value instanceof RowValue && datumTypes.has(expected))) {
    const wanted = datumTypes.has(expected) ? 'DATUM' : expected;
    const message = `Expected type ${wanted} but found ${value.errorName}:\n${value.shown}`;
    const isMissing = value instanceof RowValue && value.row === undefined;
    return about(isMissing ? nonExistence(message) : logic(message), value);
  }
  const datum = value instanceof Special ? value.datum : value;
  return about(wrongDatum(expected, datum), value);
}

/** The same for what is no argument of a term: the error stands at the term. */
export function wrongDatum(expected: string, datum: Datum): RuntimeError {
  if (!datumTypes.has(expected))
    return logic(`Expected type ${expected} but found DATUM:\n${prettyText(datum)}`);
  const message = `Expected type ${expected} but found ${typeName(datum)}.`;
  return datum === null ? nonExistence(message) : logic(message);
}

/** A value as a datum, when it is one without reading more. */
export function datumOf(value: Value): Datum {
  if (!(value instanceof Special)) return value;
  if (value instanceof RowValue) return value.datum;
  if (value instanceof BoundValue) throw logic(`Cannot convert \`r.${value.end}\` to JSON.`);
  if (value instanceof BoundArray || value instanceof BoundObject) {
    for (const part of value instanceof BoundArray ? value.items : value.fields.values())
      datumOf(part);
    return [];
  }
  throw wrongValue('DATUM', value);
}

export function numberOf(value: Value): number {
  const datum = datumOf(value);
  if (typeof datum !== 'number') throw wrongValue('NUMBER', value);
  return datum;
}

/** Beyond, doubles skip integers. */
const integerMax = 2 ** 53;

export const isExactInteger = (number: number): boolean =>
  Number.isInteger(number) && Math.abs(number) <= integerMax;

export function integerOf(value: Value): number {
  const number = numberOf(value);
  if (isExactInteger(number)) return number;
  const beyond = number < -integerMax ? ' (<-2^53)' : number > integerMax ? ' (>2^53)' : '';
  throw about(logic(`Number not an integer${beyond}: ${exactText(number)}`), value);
}

/** So many digits that the number can be read back. */
export function exactText(number: number): string {
  const text = number.toPrecision(20);
  const [digits = '', exponent] = text.split('e');
  const short = digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
  return exponent === undefined ? short : `${short}e${exponent}`;
}

export function textOf(value: Value): string {
  const datum = datumOf(value);
  if (typeof datum !== 'string') throw wrongValue('STRING', value);
  return datum;
}

/** Arrays and objects are judged by the term that takes them: an error stands at the term. */
export function arrayOf(value: Value): DatumArray {
  const datum = datumOf(value);
  if (!Array.isArray(datum)) throw wrongDatum('ARRAY', datum);
  return datum as DatumArray;
}

export function objectOfValue(value: Value): DatumObject {
  const datum = datumOf(value);
  if (!isObject(datum)) throw wrongDatum('OBJECT', datum);
  return datum;
}

/** Everything but `false` and `null` is true. */
export function truth(value: Value): boolean {
  if (!(value instanceof Special)) return value !== false && value !== null;
  if (value instanceof RowValue) return value.row !== undefined;
  if (value instanceof BoundValue) return true;
  throw wrongValue('DATUM', value);
}
