import { compareDatum } from '../../datum/compare.ts';
import type { Datum } from '../../datum/datum.ts';
import { opFailed } from '../failure.ts';
import type { MemberReport } from '../node-report.ts';
import { timeDatum } from '../terms/time-value.ts';
import { RowReader } from './row-reader.ts';
import { entryOf } from './system-table.ts';
import type { SystemTable, SystemView } from './system-table.ts';

/** `server_config` and `cluster_config` of this server; `server_status` of all that it sees. */
const mebibyte = 1_048_576;
/** Nobody beats yet: the interval that drivers and tools expect to read. */
const heartbeat = { heartbeat_timeout_secs: 10, id: 'heartbeat' };

function configRow({ environment: { server } }: SystemView): Datum {
  return { cache_size_mb: 'auto', id: server.id, name: server.name, tags: ['default'] };
}

const connectedTo = (members: readonly MemberReport[]): Datum =>
  Object.fromEntries(
    members.filter(({ isSelf }) => !isSelf).map(({ name, isConnected }) => [name, isConnected]),
  );

function statusRow({ environment: { server, report } }: SystemView): Datum {
  const { version, pid, argv, startedAtMs, cacheBytes } = report.process;
  const { hostname, driverPort, clusterPort, webPort, addresses } = report.network();
  const started = timeDatum(startedAtMs / 1_000);
  return {
    id: server.id,
    name: server.name,
    status: report.members().find(({ isSelf }) => isSelf)?.status ?? 'alive',
    network: {
      canonical_addresses: addresses.map(({ host, port }) => ({ host, port })),
      cluster_port: clusterPort,
      connected_to: connectedTo(report.members()),
      hostname,
      http_admin_port: webPort ?? '<no http admin>',
      reql_port: driverPort,
      time_connected: started,
    },
    process: {
      argv: [...argv],
      cache_size_mb: cacheBytes / mebibyte,
      pid,
      time_started: started,
      version,
    },
  };
}

/** A table of one row that says how something is, and takes only what says the same. */
const fixed = (name: string, row: (view: SystemView) => Datum, where: string): SystemTable => {
  const idOf = (view: SystemView): Datum => (row(view) as { readonly id: string }).id;
  return {
    name,
    entries: (view) => [entryOf(idOf(view), () => row(view))],
    write: ({ id, old, proposed }, view) => {
      const system = `the \`rethinkdb.${name}\` ${where}`;
      if (old === null && proposed === null) return Promise.resolve(null);
      if (proposed === null) throw opFailed(`It's illegal to delete rows from ${system}.`);
      if (id !== idOf(view)) throw opFailed(`It's illegal to insert new rows into ${system}.`);
      const reader = new RowReader(
        proposed,
        `The row you're trying to put into \`rethinkdb.${name}\` has the wrong format. `,
      );
      for (const field of Object.keys(row(view) as object)) reader.field(field);
      reader.end();
      if (compareDatum(proposed, row(view)) === 0) return Promise.resolve(old);
      throw opFailed(
        `\`rethinkdb.${name}\` says how this node is configured: change its options and start it again.`,
      );
    },
  };
};

export const serverConfigTable = fixed('server_config', configRow, 'system table');
export const clusterConfigTable = fixed('cluster_config', () => heartbeat, 'table');

const placed = (place: MemberReport['driver']): Datum =>
  place === undefined ? null : { host: place.host, port: place.port };

/** What this server sees of another one, which says of itself what it likes. */
const memberRow = (member: MemberReport): Datum => ({
  id: member.id,
  name: member.name,
  status: member.status,
  status_reason: member.reason,
  status_since: timeDatum(member.sinceMs / 1_000),
  roles: [...member.roles],
  network: {
    canonical_addresses: member.cluster === undefined ? [] : [placed(member.cluster)],
    cluster_port: member.cluster?.port ?? null,
    reql_port: member.driver?.port ?? null,
  },
  process: { version: member.version },
});

/** One row for this server, and one for each other node of the cluster, also for those that are dead. */
export const serverStatusTable: SystemTable = {
  name: 'server_status',
  entries: (view) => {
    const { server, report } = view.environment;
    const others = report.members().filter(({ isSelf }) => !isSelf);
    return [
      entryOf(server.id, () => statusRow(view)),
      ...others.map((member) => entryOf(member.id, () => memberRow(member))),
    ];
  },
};
