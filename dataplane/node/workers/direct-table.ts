import { MergedScan } from '../../shard/merged-scan.ts';
import { positionInIndex } from '../../shard/sharded-table.ts';
import { isCut } from '../../table/index-entry.ts';
import { rangeAfter } from '../../table/key-range.ts';
import type {
  BatchSource,
  EncodedRange,
  IndexPosition,
  IndexRow,
  Order,
  Row,
  ScanOptions,
  TableAccess,
} from '../../wire/table-access.ts';
import { askCore } from './direct-reads.ts';
import type { DirectReads } from './direct-reads.ts';
import { DirectIndexRows, DirectOrRemoteScan, DirectRows } from './direct-scan.ts';
import type { LocatedTable } from './table-layout.ts';

/** A table of the core, of which the worker reads itself what it can. */
export function directTable(
  remote: TableAccess,
  table: LocatedTable,
  reads: DirectReads,
): TableAccess {
  // Nobody reads it directly: each read would only find that out.
  if (table.shards.some(({ version }) => version === 0)) return remote;
  return {
    ...remote,
    get: (key, query) => {
      const found = reads.get(table, key);
      if (found !== askCore) return found;
      reads.forwarded();
      return remote.get(key, query);
    },
    edit: (batch, signal) => reads.write(table, batch.edits, () => remote.edit(batch, signal)),
    // Operations over rows that are read here are left to the query, which is here, too.
    scan: (range, order, options) => rowsOf({ remote, table, reads, range, order, options }),
    scanIndex: (index, range, order, options) => {
      const keyspaces = table.index(index);
      return keyspaces === undefined || isLong(range) || options?.until !== undefined
        ? remote.scanIndex(index, range, order, options)
        : indexRowsOf({ remote, table, reads, range, order, options, index, keyspaces });
    },
  };
}

/** Bounds that are longer than the keys of an entry: the core compares with the documents. */
const isLong = ({ start, end }: EncodedRange): boolean =>
  (start !== undefined && isCut(start)) || (end !== undefined && isCut(end));

interface Walk {
  readonly remote: TableAccess;
  readonly table: LocatedTable;
  readonly reads: DirectReads;
  readonly range: EncodedRange;
  readonly order: Order;
  readonly options: ScanOptions | undefined;
}

const common = ({ table, reads }: Walk) => ({
  permits: () => reads.hasAnswers(table),
  read: (rows: number) => reads.count(table, rows),
  forwarded: () => reads.forwarded(),
});

function merged<T extends Row>(
  scans: readonly BatchSource<T>[],
  positionOf: (row: T) => Uint8Array,
  order: Order,
): BatchSource<T> {
  const [only] = scans;
  return scans.length === 1 && only !== undefined
    ? only
    : new MergedScan(scans, { positionOf, order });
}

function rowsOf(walk: Walk): BatchSource<Row> {
  const { remote, table, reads, range, order, options } = walk;
  const left = (last: Row | undefined): EncodedRange =>
    last === undefined ? range : rangeAfter(range, last.key, order);
  return new DirectOrRemoteScan<Row>({
    ...common(walk),
    direct: (last) => {
      const scans = table.shards.map(
        (shard) => new DirectRows(reads, shard, { range: left(last), order }),
      );
      return merged<Row>(scans, ({ key }) => key, order);
    },
    remote: (last) => remote.scan(left(last), order, options),
  });
}

interface IndexWalk extends Walk {
  readonly index: string;
  readonly keyspaces: readonly number[];
}

function indexRowsOf(walk: IndexWalk): BatchSource<IndexRow> {
  const { remote, table, reads, range, order, options, index, keyspaces } = walk;
  const positionOf = (last: IndexRow | undefined): IndexPosition | undefined =>
    last ?? options?.after;
  return new DirectOrRemoteScan<IndexRow>({
    ...common(walk),
    direct: (last) => {
      const position = positionOf(last);
      const behind = position === undefined ? undefined : positionInIndex(position);
      const scans = table.shards.flatMap((shard, at) => {
        const keyspace = keyspaces[at];
        return keyspace === undefined
          ? []
          : [new DirectIndexRows(reads, { shard, keyspace }, { range, order, behind })];
      });
      return merged(scans, positionInIndex, order);
    },
    remote: (last) =>
      remote.scanIndex(index, range, order, { ...options, after: positionOf(last) }),
  });
}
