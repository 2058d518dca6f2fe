import type { Database } from '../database/database.ts';
import type { WebStatus } from '../http/web.ts';
import { userIndexes } from '../metadata/state.ts';
import type { NodeReport, ShardReport } from '../query/node-report.ts';
import type { NodeContext } from './context.ts';
import type { Drivers } from './drivers.ts';
import type { MembershipService } from './membership-service.ts';
import { conditionOf } from './node-health.ts';

interface WebStatusParts {
  readonly drivers: Drivers;
  readonly membership: Pick<MembershipService, 'members' | 'membership'>;
  /** How the replicas of all shards are. */
  readonly shards: () => ReturnType<NodeReport['shards']>;
}

const shownShard = ({ primary, replicas }: ShardReport): ShownShard => ({
  leader: primary?.name ?? null,
  replicas: replicas.map(({ server, state }) => ({ node: server.name, state })),
});
type ShownShard = WebStatus['tables'][number]['shards'][number];

/** The node as the web page shows it. */
export async function webStatus(
  { config, version, progress, startedAt, clock }: NodeContext,
  database: Database,
  { drivers, membership, shards }: WebStatusParts,
): Promise<WebStatus> {
  await drivers.refresh();
  const reports = await shards();
  const { databases, tables } = database.state;
  return {
    node: {
      name: config['node-name'],
      version,
      state: conditionOf(progress, database, membership.membership).state,
      uptimeSeconds: Math.round((clock.timeOfDay() - startedAt.getTime()) / 1000),
      integrity: database.corruption.first?.message ?? 'ok',
      storeBytes: database.metrics().store.fileBytes,
    },
    tables: Object.values(tables).map((table) => {
      const served = database.table(table.id);
      return {
        database: databases[table.databaseId]?.name ?? '',
        name: table.name,
        documents: served?.count ?? null,
        indexes: userIndexes(table).length,
        reads: served?.counters.reads ?? 0,
        writes: served?.counters.writes ?? 0,
        shards: (reports.get(table.id) ?? []).map(shownShard),
      };
    }),
    members: membership.members.map(({ id, name, status, reason, roles, isSelf }) => ({
      id,
      name,
      status,
      reason,
      isSelf,
      roles: [...roles],
    })),
    connections: drivers.figures.connections,
    queries: drivers.figures.counters.queries,
  };
}
