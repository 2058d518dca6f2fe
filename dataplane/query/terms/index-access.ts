import type { IndexInfo } from '../environment.ts';
import type { PushedScan } from '../../wire/pushed-scan.ts';
import type { EncodedRange, Order } from '../../wire/table-access.ts';
import type { RuntimeError } from '../errors.ts';
import { opFailed } from '../failure.ts';
import type { OpenScan } from '../work/own-inserts.ts';
import { yielding, streamOf } from '../stream.ts';
import type { Stream } from '../stream.ts';
import { StreamValue } from '../value.ts';
import { StoredRow } from '../item.ts';
import type { SliceValue, TableValue } from '../value.ts';
import { inOrderOfWholeKeys } from './long-keys.ts';

/** Where rows of a table are read. */
export interface ScanSource {
  readonly table: TableValue;
  /** The primary one included. */
  readonly index: string;
  readonly range: EncodedRange;
  readonly order: Order;
}

/** Rows of a table; with operations, what its shards have made of them. */
export function scanStream(
  { table, index, range, order }: ScanSource,
  pushed: PushedScan | undefined,
): Stream {
  const { access, info } = table;
  const isPrimary = index === info.primaryKey;
  const source = isPrimary
    ? access.scan(range, order, { pushed })
    : access.scanIndex(index, range, order, { pushed });
  let open: OpenScan | undefined;
  const rows: Stream = {
    next: async (limit, signal) => {
      open ??= table.work?.ownInserts.opened(info.id);
      for (;;) {
        const batch = await source.next(limit, signal);
        if (batch === undefined) break;
        const seen = open === undefined ? batch : open.without(batch);
        if (seen.length > 0) return seen.map((row) => new StoredRow(row));
      }
      open?.close();
      return undefined;
    },
    close: () => {
      open?.close();
      source.close();
    },
  };
  const read = yielding(rows, table.work);
  return isPrimary ? read : inOrderOfWholeKeys(read, order);
}

/** Reading a table through one of its indexes, the primary one included. */
export function indexScan(
  table: TableValue,
  name: string,
  range: EncodedRange,
  order: Order,
): StreamValue {
  if (name !== table.info.primaryKey) readyIndex(table, name);
  return new StreamValue(scanStream({ table, index: name, range, order }, undefined), table);
}

export function sliceStream({ table, index, range, order }: SliceValue): Stream {
  if (range === undefined) return streamOf([]);
  return indexScan(table, index, range, order ?? 'ascending').stream;
}

export function readyIndex(table: TableValue, name: string): IndexInfo {
  const { info } = table;
  const index = info.indexes.find((each) => each.name === name);
  const qualified = `${info.database.name}.${info.name}`;
  if (index === undefined)
    throw opFailed(`Index \`${name}\` was not found on table \`${qualified}\`.`);
  if (index.failure !== undefined) throw failedIndex(info, index);
  if (!index.ready)
    throw opFailed(
      `Index \`${name}\` on table \`${qualified}\` was accessed before its construction was finished.`,
    );
  return index;
}

/** It has entries that are wrong, or lacks some: nobody may read it. */
export const failedIndex = (
  { database, name }: TableValue['info'],
  index: Pick<IndexInfo, 'name' | 'failure'>,
): RuntimeError =>
  opFailed(
    `Index \`${index.name}\` on table \`${database.name}.${name}\` has failed and is not read any more: ${index.failure}. Drop it, and create it again.`,
  );
