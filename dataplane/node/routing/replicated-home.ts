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
import { Calm } from './calm.ts';
import type { ReplicaFacts } from './calm.ts';
import { Ailment } from './ailment.ts';
import type { AilmentSources } from './ailment.ts';
import { beginHandOver } from './hand-over.ts';
import type { HandOverParts } from './hand-over.ts';
import { reconcile } from './reconcile-replicas.ts';

/** A node whose data is replicated: changes of the catalogue go to the leader of the metadata, replicas are tended. */
const reconcileEveryMs = 500;
const metadataPollMs = 50;

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

export interface TendingParts {
  readonly context: NodeContext;
  readonly database: Database;
  readonly replication: NodeReplication;
  readonly membership: MembershipService;
  /** Why this node refuses writes of clients. */
  readonly refusal: () => string | undefined;
}

export const handOverOf = ({ database, replication, membership }: TendingParts): HandOverParts => ({
  node: replication.node,
  groups: () => database.replicatedGroups,
  members: () => membership.members,
});

/** Until the node stops. */
export async function tendReplicas(parts: TendingParts): Promise<void> {
  const { context, database, replication, membership } = parts;
  const { clock, signal, logger } = context;
  const calm = new Calm();
  const watch = new Ailment(clock);
  let ailment = '';
  let said: string | undefined;
  while (!signal.aborted) {
    const found = watch.look(ailmentSources(parts));
    if (found !== ailment) {
      ailment = found;
      membership.membership?.setAilment(ailment);
      if (ailment === '') logger.info('this node may lead again: its disk is well', {});
      else logger.error('other nodes are to lead in place of this one', { reason: ailment });
    }
    if (membership.isLeaving || ailment !== '') beginHandOver(handOverOf(parts));
    if (!calm.isKept(factsOf(parts), clock.now())) {
      replication.look();
      try {
        await reconcile({
          node: replication.node,
          database,
          members: () => membership.members,
          isRemoved: (id) => membership.isRemoved(id),
          change: (command) => replication.change(command),
        });
        said = undefined;
      } catch (error) {
        calm.end();
        const { message } = error as Error;
        if (!signal.aborted && message !== said)
          logger.warn('replicas cannot be brought to what they are to be yet', { reason: message });
        said = message;
      }
    }
    await clock.sleep(reconcileEveryMs, signal).catch(() => undefined);
  }
}

const ailmentSources = ({ refusal, replication }: TendingParts): AilmentSources => ({
  refusal: refusal(),
  trouble: replication.source.groups?.trouble,
});

const factsOf = ({ database, replication, membership }: TendingParts): ReplicaFacts => ({
  state: database.state,
  members: membership.members,
  isRemoved: (id) => membership.isRemoved(id),
  turns: replication.source.groups?.turns ?? 0,
});

/** A node that joins serves when it has the metadata: without it, it would know no table. */
export async function firstMetadata({ context, database }: TendingParts): Promise<void> {
  const { clock, signal, progress } = context;
  while (Object.keys(database.state.users).length === 0 && !signal.aborted) {
    progress.step('receiving the metadata of the cluster');
    progress.waited();
    await clock.sleep(metadataPollMs, signal).catch(() => undefined);
  }
}
