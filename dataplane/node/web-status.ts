import type { Database } from '../database/database.ts';
import type { WebStatus } from '../http/web.ts';
import { userIndexes } from '../metadata/state.ts';
import type { NodeContext } from './context.ts';
import type { Drivers } from './drivers.ts';
import type { MembershipService } from './membership-service.ts';
import { conditionOf } from './node-health.ts';

interface WebStatusParts {
  readonly drivers: Drivers;
  readonly membership: Pick<MembershipService, 'members' | 'membership'>;
}

/** The node as the web page shows it. */
export async function webStatus(
  { config, version, progress, startedAt, clock }: NodeContext,
  database: Database,
  { drivers, membership }: WebStatusParts,
): Promise<WebStatus> {
  await drivers.refresh();
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
        documents: served?.count ?? 0,
        indexes: userIndexes(table).length,
        reads: served?.counters.reads ?? 0,
        writes: served?.counters.writes ?? 0,
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
