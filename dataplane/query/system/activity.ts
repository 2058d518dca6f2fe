import type { Datum } from '../../datum/datum.ts';
import type { TableInfo } from '../environment.ts';
import { opFailed } from '../failure.ts';
import type { NodeIssue } from '../node-report.ts';
import { nameUuid } from '../terms/name-uuid.ts';
import { tableStatus } from '../terms/table-report.ts';
import { timeDatum } from '../terms/time-value.ts';
import { entryOf, named } from './system-table.ts';
import type { SystemEntry, SystemTable, SystemView } from './system-table.ts';

/** `jobs`, `logs` and `current_issues`: what happens on the node and what happened to it. */

async function queryEntries(view: SystemView): Promise<SystemEntry[]> {
  const { server, report } = view.environment;
  return (await report.queries()).map(({ id, runningMs, client, user, text }) =>
    entryOf(['query', id], () => ({
      duration_sec: runningMs / 1_000,
      id: ['query', id],
      info: { client_address: client.address, client_port: client.port, query: text, user },
      servers: [named(server, view)],
      type: 'query',
    })),
  );
}

function indexEntries(view: SystemView): SystemEntry[] {
  const { catalog, server } = view.environment;
  const tables = catalog.databases().flatMap(({ id }) => catalog.tables(id));
  return tables.flatMap((info) =>
    info.indexes
      .filter(({ ready }) => !ready)
      .map(({ name, progress }) => {
        const id = ['index_construction', nameUuid(`${info.id}.${name}`)];
        return entryOf(id, () => ({
          duration_sec: null,
          id,
          info: { db: named(info.database, view), index: name, progress, table: named(info, view) },
          servers: [named(server, view)],
          type: 'index_construction',
        }));
      }),
  );
}

export const jobsTable: SystemTable = {
  name: 'jobs',
  entries: async (view) => [...(await queryEntries(view)), ...indexEntries(view)],
  write: async ({ id, proposed }, { environment: { report } }) => {
    if (proposed !== null)
      throw opFailed(
        'The `rethinkdb.jobs` system table only allows deletions, not inserts or updates.',
      );
    const [type, query] = Array.isArray(id) ? (id as readonly Datum[]) : [];
    if (typeof type === 'string' && type !== 'query')
      throw opFailed(`Jobs of type \`${type}\` cannot be interrupted.`);
    if (typeof query === 'string') await report.cancelQuery(query);
    return null;
  },
};

export const logsTable: SystemTable = {
  name: 'logs',
  entries: (view) => {
    const { server, report } = view.environment;
    const startedAtMs = report.process.startedAtMs;
    return report.messages().map(({ atMs, level, message }, position) => {
      // The position tells apart what was logged within one millisecond.
      const at = `${new globalThis.Date(atMs).toISOString().slice(0, -1)}${String(position).padStart(6, '0')}`;
      const id = [at, server.id];
      return entryOf(id, () => ({
        id,
        level,
        message,
        server: named(server, view),
        timestamp: timeDatum(atMs / 1_000),
        uptime: Math.max(0, atMs - startedAtMs) / 1_000,
      }));
    });
  },
};

function issueRow(issue: NodeIssue, table: TableInfo | undefined, view: SystemView): Datum {
  const { server } = view.environment;
  const id = nameUuid(`${issue.type}.${issue.tableId ?? server.id}`);
  const about =
    table === undefined
      ? { servers: [named(server, view)] }
      : {
          db: named(table.database, view),
          table: named(table, view),
          status: (tableStatus(table, { server }) as { readonly status: Datum }).status,
        };
  return { critical: true, description: issue.description, id, info: about, type: issue.type };
}

export const issuesTable: SystemTable = {
  name: 'current_issues',
  entries: (view) => {
    const { catalog, report } = view.environment;
    return report.issues().map((issue) => {
      const table = issue.tableId === undefined ? undefined : catalog.tableById(issue.tableId);
      const row = issueRow(issue, table, view);
      return entryOf((row as { readonly id: Datum }).id, () => row);
    });
  },
};
