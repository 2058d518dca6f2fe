import type { EncodedRange, IndexInfo } from '../environment.ts';
import { opFailed, wrongType } from '../failure.ts';
import { polite } from '../stream.ts';
import { StoredRow, StreamValue, TableValue } from '../value.ts';
import type { Value } from '../value.ts';

/** Reading a table through one of its indexes, the primary one included. */
export function indexScan(
  target: Value,
  name: string,
  range: EncodedRange,
  order: 'ascending' | 'descending',
): StreamValue {
  if (!(target instanceof TableValue)) {
    if (target instanceof StreamValue && target.table !== undefined)
      throw wrongType('TABLE', 'SELECTION<STREAM>');
    throw wrongType('TABLE', 'DATUM');
  }
  const { access, info } = target;
  if (name !== info.primaryKey) readyIndex(target, name);
  const source =
    name === info.primaryKey ? access.scan(range, order) : access.scanIndex(name, range, order);
  return new StreamValue(
    polite(
      {
        next: async (limit, signal) =>
          (await source.next(limit, signal))?.map((row) => new StoredRow(row)),
        close: () => source.close(),
      },
      target.pause,
    ),
    target,
  );
}

export function readyIndex(table: TableValue, name: string): IndexInfo {
  const { info } = table;
  const index = info.indexes.find((each) => each.name === name);
  const qualified = `${info.database.name}.${info.name}`;
  if (index === undefined)
    throw opFailed(`Index \`${name}\` was not found on table \`${qualified}\`.`);
  if (!index.ready)
    throw opFailed(
      `Index \`${name}\` on table \`${qualified}\` was accessed before its construction was finished.`,
    );
  return index;
}
