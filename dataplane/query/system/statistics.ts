import type { Datum } from '../../datum/datum.ts';
import type { TableInfo } from '../environment.ts';
import type { NodeStatistics, TableStatistics } from '../node-report.ts';
import { entryOf, named } from './system-table.ts';
import type { SystemEntry, SystemTable, SystemView } from './system-table.ts';

/** `stats`: of the cluster, of each server, of each table, and of each table on each server. */
const nothing: TableStatistics = {
  reads: { total: 0, perSecond: 0 },
  writes: { total: 0, perSecond: 0 },
  dataBytes: 0,
  cachedBytes: 0,
};

type Documents = Pick<TableStatistics, 'reads' | 'writes'>;

const rates = ({ reads, writes }: Documents): Readonly<Record<string, Datum>> => ({
  read_docs_per_sec: reads.perSecond,
  written_docs_per_sec: writes.perSecond,
});

const totals = ({ reads, writes }: Documents): Readonly<Record<string, Datum>> => ({
  read_docs_total: reads.total,
  written_docs_total: writes.total,
});

function sum(tables: Iterable<TableStatistics>): Documents {
  const [reads, writes] = [
    { total: 0, perSecond: 0 },
    { total: 0, perSecond: 0 },
  ];
  for (const table of tables) {
    reads.total += table.reads.total;
    reads.perSecond += table.reads.perSecond;
    writes.total += table.writes.total;
    writes.perSecond += table.writes.perSecond;
  }
  return { reads, writes };
}

const clients = ({ connections, activeConnections, queries }: NodeStatistics): object => ({
  client_connections: connections,
  clients_active: activeConnections,
  queries_per_sec: queries.perSecond,
});

function storage({ dataBytes, cachedBytes }: TableStatistics): Datum {
  // The tables of a node share one file: what it reads, writes and keeps free belongs to no table.
  const usage = { data_bytes: dataBytes, garbage_bytes: 0, metadata_bytes: 0 };
  const traffic = { read_bytes_per_sec: 0, read_bytes_total: 0, written_bytes_per_sec: 0 };
  return {
    cache: { in_use_bytes: cachedBytes },
    disk: {
      ...traffic,
      space_usage: { ...usage, preallocated_bytes: 0 },
      written_bytes_total: 0,
    },
  };
}

function tableEntries(info: TableInfo, view: SystemView, found: TableStatistics): SystemEntry[] {
  const { server } = view.environment;
  const home = {
    db: named(info.database, view),
    table: named(info, view),
  };
  const ids = [
    ['table', info.id],
    ['table_server', info.id, server.id],
  ] as const;
  return [
    entryOf(ids[0], () => ({ ...home, id: ids[0], query_engine: rates(found) })),
    entryOf(ids[1], () => ({
      ...home,
      id: ids[1],
      query_engine: { ...rates(found), ...totals(found) },
      server: named(server, view),
      storage_engine: storage(found),
    })),
  ];
}

export const statisticsTable: SystemTable = {
  name: 'stats',
  entries: async (view) => {
    const { catalog, report, server } = view.environment;
    const found = await report.statistics();
    const all = sum(found.tables.values());
    const engine = { ...clients(found), ...rates(all) };
    const whole = { queries_total: found.queries.total, ...totals(all) };
    const ids = [['cluster'], ['server', server.id]] as const;
    return [
      entryOf(ids[0], () => ({ id: ids[0], query_engine: engine })),
      entryOf(ids[1], () => ({
        id: ids[1],
        query_engine: { ...engine, ...whole },
        server: named(server, view),
      })),
      ...catalog
        .databases()
        .flatMap(({ id }) => catalog.tables(id))
        .flatMap((info) => tableEntries(info, view, found.tables.get(info.id) ?? nothing)),
    ];
  },
};
