import type { Datum } from '../../datum/datum.ts';
import type { Context } from '../compiled.ts';
import { resourceLimit, wrongType } from '../failure.ts';
import { batchesOf, polite, streamOf, transformed } from '../stream.ts';
import type { Stream } from '../stream.ts';
import {
  datumOf,
  datumOfItem,
  isSequence,
  Special,
  StoredRow,
  StreamValue,
  TableValue,
} from '../value.ts';
import type { Item, Value } from '../value.ts';

/** Sequences in their three forms (array, table, stream) behind one way of reading. */
export function streamFrom(value: Value): Stream {
  if (value instanceof StreamValue) return value.stream;
  if (value instanceof TableValue) return tableStream(value);
  if (Array.isArray(value)) return streamOf(value as Datum[]);
  if (value instanceof Special) throw wrongType('SEQUENCE', value.typeName);
  throw wrongType('SEQUENCE', nameOf(value));
}

const nameOf = (value: Value): string =>
  value === null
    ? 'NULL'
    : typeof value === 'object'
      ? 'OBJECT'
      : typeof value === 'boolean'
        ? 'BOOL'
        : (typeof value).toUpperCase();

function tableStream(table: TableValue): Stream {
  const source = table.access.scan({}, 'ascending');
  const rows: Stream = {
    next: async (limit, signal) =>
      (await source.next(limit, signal))?.map((row) => new StoredRow(row)),
    close: () => source.close(),
  };
  return polite(rows, table.pause);
}

export const tableOf = (value: Value): TableValue | undefined =>
  value instanceof TableValue ? value : value instanceof StreamValue ? value.table : undefined;

/** Each item through a pure function; undefined leaves it out. Arrays stay arrays, at once. */
export function itemsMapped(
  value: Value,
  context: Context,
  each: (item: Datum) => Datum | undefined,
): Value {
  void context;
  if (Array.isArray(value))
    return (value as Datum[]).map(each).filter((item) => item !== undefined);
  return new StreamValue(
    transformed(streamFrom(value), (batch) =>
      batch.map((item) => each(datumOfItem(item))).filter((item) => item !== undefined),
    ),
  );
}

/** Everything of a sequence, bounded by the query's array limit. */
export async function itemsOf(value: Value, context: Context): Promise<readonly Item[]> {
  if (Array.isArray(value)) return value as Datum[];
  const items: Item[] = [];
  for await (const batch of batchesOf(streamFrom(value), context.signal)) {
    for (const item of batch) items.push(item);
    if (items.length > context.arrayLimit) throw overLimit(context);
  }
  return items;
}

export const overLimit = (context: Context): Error =>
  resourceLimit(`Array over size limit \`${context.arrayLimit}\`.`);

/** A value as a datum, reading a sequence to its end. */
export async function settled(value: Value, context: Context): Promise<Datum> {
  if (!isSequence(value)) return datumOf(value);
  return (await itemsOf(value, context)).map(datumOfItem);
}
