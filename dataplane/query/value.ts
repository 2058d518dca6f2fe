import type { Datum, DatumArray } from '../datum/datum.ts';
import type { FieldName } from '../datum/field-of-text.ts';
import { prettyText } from '../datum/text.ts';
import type { Determinism } from './determinism.ts';
import type { DatabaseInfo, TableInfo } from './environment.ts';
import type { EncodedRange, TableAccess } from '../wire/table-access.ts';
import { DamagedDocumentError } from './errors.ts';
import type { BoundSides } from './bound-sides.ts';
import type { Item, StoredRow } from './item.ts';
import type { Stream } from './stream.ts';
import type { Work } from './work/work.ts';

/** What a term can evaluate to, beside a datum. */
export abstract class OpaqueValue {
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

export type Value = Datum | OpaqueValue;

export class DatabaseValue extends OpaqueValue {
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

export class TableValue extends OpaqueValue {
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
export class SliceValue extends OpaqueValue {
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
export class ArraySelection extends OpaqueValue {
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
export class RowValue extends OpaqueValue {
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
export class StreamValue extends OpaqueValue {
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
export class FunctionValue extends OpaqueValue {
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
export class BoundValue extends OpaqueValue {
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
export class BoundArray extends OpaqueValue {
  override readonly typeName = 'ARRAY';
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }
}

/** An object with bounds in it: a value that no table takes. */
export class BoundObject extends OpaqueValue {
  override readonly typeName = 'OBJECT';
  readonly fields: ReadonlyMap<string, Value>;
  constructor(fields: ReadonlyMap<string, Value>) {
    super();
    this.fields = fields;
  }
}

export const holdsBound = (value: Value): value is BoundValue | BoundArray | BoundObject =>
  value instanceof BoundValue || value instanceof BoundArray || value instanceof BoundObject;

/** An array literal among the options of a term, whose items may be functions. */
export class ListValue extends OpaqueValue {
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
export class GroupedValue extends OpaqueValue {
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
