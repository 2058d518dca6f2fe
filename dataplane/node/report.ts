import type { AddressInfo, Server } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import type { Clock } from '../common/clock.ts';
import { parseAddress } from '../common/address.ts';
import type { Config } from '../config/config.ts';
import type { Database } from '../database/database.ts';
import type { Verifier } from '../metadata/state.ts';
import type { LogHistory } from '../observability/log-history.ts';
import type { MemberView } from '../membership/member-view.ts';
import { Rates } from '../observability/rates.ts';
import type {
  MemberReport,
  NodeIssue,
  NodeReport,
  NodeStatistics,
  UserReport,
} from '../query/node-report.ts';
import { verifies } from '../security/scram.ts';
import type { DiskGate } from './disk-gate.ts';
import type { Drivers } from './drivers.ts';
import { troublesOf } from './troubles.ts';

/** The node as the system tables show it. */
export interface ReportedNode {
  readonly config: Config;
  readonly version: string;
  readonly argv: readonly string[];
  readonly startedAt: Date;
  readonly clock: Pick<Clock, 'timeOfDay'>;
  readonly database: Database;
  readonly disk: Pick<DiskGate, 'refusal'>;
  readonly history: LogHistory;
  readonly members: () => readonly MemberView[];
  readonly servers: NodeReport['servers'];
  readonly shards: NodeReport['shards'];
  readonly users: () => Readonly<Record<string, Verifier>>;
  readonly drivers: Drivers;
  /** Undefined until it listens. */
  readonly web: () => Server | undefined;
}

/** The version of RethinkDB that drivers and tools find, and whose protocol and terms these are. */
const compatibleVersion = '2.4.4';
const mebibyte = 1_048_576;

export function nodeReport(node: ReportedNode): NodeReport {
  const { config, startedAt } = node;
  const rates = new Rates(startedAt.getTime());
  const hasPassword = passwordLookup();
  return {
    process: {
      version: `rethinkdb ${compatibleVersion} (PhotonDB ${node.version})`,
      pid: process.pid,
      argv: node.argv,
      startedAtMs: startedAt.getTime(),
      cacheBytes: config['cache-mib'] * mebibyte,
    },
    network: () => ({
      hostname: hostname(),
      driverPort: node.drivers.port ?? config['driver-port'],
      clusterPort: config['cluster-port'],
      webPort: portOf(node.web()),
      addresses: addressesOf(config),
    }),
    members: () => node.members().map(memberReport),
    servers: node.servers,
    shards: node.shards,
    statistics: () => statisticsOf(node, rates),
    issues: () => issuesOf(node),
    messages: () => node.history.messages,
    queries: () => node.drivers.queries(),
    cancelQuery: (id) => node.drivers.cancelQuery(id),
    users: () =>
      Promise.all(
        Object.entries(node.users()).map(async ([name, verifier]): Promise<UserReport> => ({
          name,
          hasPassword: await hasPassword(verifier),
        })),
      ),
  };
}

const memberReport = (member: MemberView): MemberReport => ({
  id: member.id,
  name: member.name,
  isSelf: member.isSelf,
  status: member.status,
  reason: member.reason,
  sinceMs: member.since,
  isConnected: member.isConnected,
  roles: [...member.roles],
  version: member.version,
  cluster: parseAddress(member.address),
  driver: parseAddress(member.driver),
});

function portOf(server: Server | undefined): number | undefined {
  const address = server?.address() as AddressInfo | null | undefined;
  return address?.port;
}

const everywhere = new Set(['::', '0.0.0.0']);

/** Where other machines find the node. */
function addressesOf(config: Config): { host: string; port: number }[] {
  const port = config['cluster-port'];
  if (!everywhere.has(config.bind)) return [{ host: config.bind, port }];
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address, scopeid }) => ({
      host: scopeid === undefined || scopeid === 0 ? address : `${address}%${scopeid}`,
      port,
    }));
}

async function statisticsOf(
  { database, drivers, clock }: ReportedNode,
  rates: Rates,
): Promise<NodeStatistics> {
  await drivers.refresh();
  const { connections, running, counters } = drivers.figures;
  const { queries } = counters;
  const tables = Object.values(database.state.tables).map(({ id }) => {
    const { reads, writes } = database.table(id)?.counters ?? { reads: 0, writes: 0 };
    return { id, reads, writes };
  });
  const perSecond = rates.read(
    clock.timeOfDay(),
    new Map([
      ['queries', queries],
      ...tables.flatMap(({ id, reads, writes }): [string, number][] => [
        [`reads ${id}`, reads],
        [`writes ${id}`, writes],
      ]),
    ]),
  );
  return {
    connections,
    activeConnections: running,
    queries: { total: queries, perSecond: perSecond('queries') },
    tables: new Map(
      tables.map(({ id, reads, writes }) => [
        id,
        {
          reads: { total: reads, perSecond: perSecond(`reads ${id}`) },
          writes: { total: writes, perSecond: perSecond(`writes ${id}`) },
          ...database.sizeOf(id),
        },
      ]),
    ),
  };
}

function issuesOf({ database, disk }: ReportedNode): NodeIssue[] {
  const troubles = troublesOf(database);
  const full = disk.refusal('write');
  return full === undefined ? troubles : [...troubles, { type: 'disk_full', description: full }];
}

/** Whether a password is empty; each is tried once, because trying takes milliseconds. */
function passwordLookup(): (verifier: Verifier) => Promise<boolean> {
  const known = new WeakMap<Verifier, Promise<boolean>>();
  return (verifier) => {
    const found = known.get(verifier) ?? verifies(verifier, '').then((isEmpty) => !isEmpty);
    known.set(verifier, found);
    return found;
  };
}
