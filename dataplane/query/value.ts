import type { Datum, DatumArray, DatumObject } from '../datum/datum.ts';
import { isObject } from '../datum/object.ts';
import { canonicalText, parseText } from '../datum/text.ts';
import type { DatabaseInfo, Row, TableAccess, TableInfo } from './environment.ts';
import { logic, wrongDatum, wrongType } from './failure.ts';
import type { Stream } from './stream.ts';

/** What a term can evaluate to, beside a datum. */
export abstract class Special {
  /** As errors name it. */
  abstract readonly typeName: string;
}

export type Value = Datum | Special;

/** A stored document: its text is answered as it is; it is parsed when somebody looks inside. */
export class StoredRow {
  readonly key: Uint8Array;
  readonly text: string;
  #datum: Datum | undefined;

  constructor(row: Row) {
    this.key = row.key;
    this.text = row.text;
  }

  get datum(): Datum {
    this.#datum ??= parseText(this.text);
    return this.#datum;
  }
}

export type Item = Datum | StoredRow;

export const datumOfItem = (item: Item): Datum => (item instanceof StoredRow ? item.datum : item);
export const textOfItem = (item: Item): string =>
  item instanceof StoredRow ? item.text : canonicalText(item);

export class DatabaseValue extends Special {
  override readonly typeName = 'DATABASE';
  readonly info: DatabaseInfo;
  constructor(info: DatabaseInfo) {
    super();
    this.info = info;
  }
}

export class TableValue extends Special {
  override readonly typeName = 'TABLE';
  readonly info: TableInfo;
  readonly access: TableAccess;
  /** Of the environment: long reads call it between batches. */
  readonly pause: () => Promise<void>;
  constructor(info: TableInfo, access: TableAccess, pause: () => Promise<void>) {
    super();
    this.pause = pause;
    this.info = info;
    this.access = access;
  }
}

/** One document of a table, there or not: what `get` answers. */
export class RowValue extends Special {
  override readonly typeName = 'SELECTION<OBJECT>';
  readonly table: TableValue;
  readonly key: Uint8Array;
  readonly primaryKey: Datum;
  readonly row: StoredRow | undefined;
  constructor(
    table: TableValue,
    at: { readonly key: Uint8Array; readonly primaryKey: Datum },
    row: StoredRow | undefined,
  ) {
    super();
    this.table = table;
    this.key = at.key;
    this.primaryKey = at.primaryKey;
    this.row = row;
  }

  get datum(): Datum {
    return this.row?.datum ?? null;
  }
}

/** A sequence that is read batch by batch; of stored rows of one table when `table` is there. */
export class StreamValue extends Special {
  readonly stream: Stream;
  readonly table: TableValue | undefined;
  constructor(stream: Stream, table?: TableValue) {
    super();
    this.stream = stream;
    this.table = table;
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
  readonly call: (args: readonly Value[]) => Value | Promise<Value>;
  /** The term that it was compiled from, for definitions that are stored. */
  readonly term: unknown;
  constructor(
    shape: { readonly arity: number; readonly pure: boolean; readonly term: unknown },
    call: FunctionValue['call'],
  ) {
    super();
    this.arity = shape.arity;
    this.pure = shape.pure;
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

export const isSequence = (value: Value): value is DatumArray | TableValue | StreamValue =>
  value instanceof TableValue || value instanceof StreamValue || Array.isArray(value);

/** A value as a datum, when it is one without reading more. */
export function datumOf(value: Value): Datum {
  if (!(value instanceof Special)) return value;
  if (value instanceof RowValue) return value.datum;
  if (value instanceof BoundValue) throw logic(`Cannot convert \`r.${value.end}\` to JSON.`);
  throw wrongType('DATUM', value.typeName);
}

export function numberOf(value: Value): number {
  const datum = datumOf(value);
  if (typeof datum !== 'number') throw wrongDatum('NUMBER', datum);
  return datum;
}

export function integerOf(value: Value): number {
  const number = numberOf(value);
  if (!Number.isInteger(number)) throw logic(`Number not an integer: ${number}`);
  return number;
}

export function textOf(value: Value): string {
  const datum = datumOf(value);
  if (typeof datum !== 'string') throw wrongDatum('STRING', datum);
  return datum;
}

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
export const truth = (value: Value): boolean =>
  value instanceof Special
    ? !(value instanceof RowValue) || value.row !== undefined
    : value !== false && value !== null;
