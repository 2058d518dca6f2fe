import type { Database } from '../../database/database.ts';
import type { Catalog } from '../../query/environment.ts';
import { NotLeaderError } from '../../replication/errors.ts';
import type { NodeContext } from '../context.ts';
import type { MembershipService } from '../membership-service.ts';
import { catalogChanges } from '../workers/remote-catalog.ts';
import type { CatalogChangeName } from '../workers/remote-catalog.ts';
import { errorOf } from '../workers/failures.ts';
import type { CatalogFollower } from './catalog-follower.ts';
import type { NodeReplication } from './node-replication.ts';
import { reconcile } from './reconcile-replicas.ts';

/** A node whose data is replicated: changes of the catalogue go to the leader of the metadata, replicas are tended. */
const reconcileEveryMs = 500;
/** A node that joins begins without the metadata after this time. */
const firstMetadataMs = 20_000;

/** Changes here when this node leads the metadata, else there; and then waits until this node has the change. */
export function forwardedCatalog(
  catalog: Catalog,
  follower: CatalogFollower,
  { database, signal }: { readonly database: Database; readonly signal: AbortSignal },
): Catalog {
  const forwarding = (name: CatalogChangeName): unknown => {
    const change = catalog[name] as (...args: unknown[]) => Promise<unknown>;
    return async (...args: unknown[]) => {
      try {
        return await change(...args);
      } catch (error) {
        if (!(error instanceof NotLeaderError)) throw error;
        const answer = await follower.changeThere(name, args, signal);
        if (answer.type === 'failed') throw errorOf(answer.failure);
        await database.metadataAt(answer.index ?? 0, signal);
        return answer.result;
      }
    };
  };
  const changes = catalogChanges.map((name) => [name, forwarding(name)]);
  return { ...catalog, ...Object.fromEntries(changes) } as Catalog;
}

interface TendingParts {
  readonly context: NodeContext;
  readonly database: Database;
  readonly replication: NodeReplication;
  readonly membership: MembershipService;
}

/** Until the node stops. */
export async function tendReplicas(parts: TendingParts): Promise<void> {
  const { context, database, replication, membership } = parts;
  const { clock, signal, logger } = context;
  let said: string | undefined;
  while (!signal.aborted) {
    replication.look();
    try {
      await reconcile({
        node: replication.node,
        database,
        members: () => membership.members,
        change: (command) => replication.change(command),
      });
      said = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (!signal.aborted && message !== said)
        logger.warn('replicas cannot be brought to what they are to be yet', { reason: message });
      said = message;
    }
    await clock.sleep(reconcileEveryMs, signal).catch(() => undefined);
  }
}

/** A node that joins has the metadata when it serves, as far as it can be had. */
export async function firstMetadata({ context, database }: TendingParts): Promise<void> {
  const { clock, signal } = context;
  const over = new AbortController();
  const timer = clock.timer(firstMetadataMs, () => over.abort());
  const either = AbortSignal.any([signal, over.signal]);
  while (Object.keys(database.state.users).length === 0 && !either.aborted)
    await database.changed(either).catch(() => undefined);
  timer.cancel();
}

/** Gives leadership of everything to other nodes, before this one stops. */
export async function handOver({ context, database, replication }: TendingParts): Promise<void> {
  const { clock } = context;
  const { signal } = new AbortController();
  for (let turn = 0; turn < handOverTurns; turn += 1) {
    const leading = database.replicatedGroups.filter(
      ({ refusal, configuration }) => refusal === undefined && configuration.voters.length > 1,
    );
    if (leading.length === 0) return;
    for (const group of leading) {
      const [to] = group.configuration.voters
        .filter((id) => id !== replication.node)
        .toSorted((a, b) => (group.matches.get(b) ?? 0) - (group.matches.get(a) ?? 0));
      if (to !== undefined) group.transferLeadership(to);
    }
    await clock.sleep(handOverTurnMs, signal);
  }
}

const handOverTurns = 30;
const handOverTurnMs = 100;
