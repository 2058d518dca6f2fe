import type { NodeHealth } from '../http/health.ts';
import type { Database } from '../database/database.ts';
import type { Membership } from '../membership/membership.ts';
import type { Drivers } from './drivers.ts';
import type { Progress } from './progress.ts';
import { troublesOf } from './troubles.ts';

/** The health of a node, as probes, the status in Kubernetes and the web page show it. */
export type Condition = Pick<NodeHealth, 'state' | 'message'>;

/** Damaged tables that health names: one reason may be long. */
const damagedTablesMax = 100;

/** A node with damage serves everything else. */
export function conditionOf(
  { state, message }: Pick<Progress, 'state' | 'message'>,
  database: Database | undefined,
  membership: Pick<Membership, 'quarantine' | 'isDraining'> | undefined,
  replicaTrouble?: string,
): Condition {
  const { quarantine, isDraining = false } = membership ?? {};
  if (state === 'Ready' && quarantine !== undefined) {
    return { state: 'Quarantined', message: `quarantined: this node ${quarantine.reason}` };
  }
  if (state === 'Ready' && isDraining) {
    return { state: 'Draining', message: 'draining: clients connect to other nodes' };
  }
  if (state !== 'Ready' || database === undefined) return { state, message };
  const damaged = database.corruption.tables();
  const [first] = damaged;
  if (first !== undefined) {
    const served = `serving all tables but ${damaged.length} that are damaged, the first one ${first.name}: ${first.damage.message}`;
    return { state: 'Degraded', message: served };
  }
  const [trouble] = troublesOf(database);
  const description = trouble?.description ?? replicaTrouble;
  if (description === undefined) return { state, message };
  return { state: 'Degraded', message: `serving, but: ${description}` };
}

export function nodeHealth(
  progress: Progress,
  database: Database | undefined,
  membership: Membership | undefined,
  replicaTrouble?: string,
): NodeHealth {
  return {
    ...conditionOf(progress, database, membership, replicaTrouble),
    replay: progress.replay,
    ...(database === undefined ? {} : { data: dataHealth(database) }),
    ...(membership === undefined ? {} : { cluster: clusterHealth(membership) }),
  };
}

/** How fast queries come and are answered. */
export function queryHealth({
  figures,
  measurements,
}: Drivers): NonNullable<NodeHealth['queries']> {
  const { all, kinds } = measurements.latencies.recent;
  return { running: figures.running, perSecond: all.perSecond, latencyMs: { all, kinds } };
}

function clusterHealth(membership: Membership): NonNullable<NodeHealth['cluster']> {
  const { clusterId, nodeId, address, members } = membership;
  return {
    clusterId,
    nodeId,
    address,
    members: members.map(({ since, ...member }) => ({
      id: member.id,
      name: member.name,
      address: member.address,
      status: member.status,
      reason: member.reason,
      since: new Date(since).toISOString(),
      roles: member.roles,
      version: member.version,
      isSelf: member.isSelf,
      isConnected: member.isConnected,
    })),
  };
}

function dataHealth(database: Database): NonNullable<NodeHealth['data']> {
  const { store, tables } = database.metrics();
  const damagedTables = database.corruption.tables().slice(0, damagedTablesMax);
  const integrity = database.corruption.first ?? 'ok';
  const issues = troublesOf(database).slice(0, damagedTablesMax);
  const counts = { storeBytes: store.fileBytes, tables: tables.length };
  return { integrity, ...counts, damagedTables, issues };
}
