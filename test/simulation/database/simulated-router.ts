import type { Prng } from '../../../dataplane/common/prng.ts';
import type { Database } from '../../../dataplane/database/database.ts';
import type { MetadataCommand, Refused } from '../../../dataplane/metadata/command.ts';
import { placementOf } from '../../../dataplane/metadata/shards.ts';
import type { MetadataState } from '../../../dataplane/metadata/state.ts';
import type { ReplicaMember } from '../../../dataplane/node/routing/gone-members.ts';
import { reconcile } from '../../../dataplane/node/routing/reconcile-replicas.ts';
import { RoutedTables } from '../../../dataplane/node/routing/routed-tables.ts';
import { ShardService } from '../../../dataplane/node/routing/shard-service.ts';
import type { TableAccess } from '../../../dataplane/wire/table-access.ts';
import type { ProcessLife } from '../cluster/process-life.ts';

/** What a node knows of others, and asks of them. */
export interface RouterNetwork {
  members(of: string): readonly ReplicaMember[];
  /** A request for a shard: rejects as `ShardPeers` does. */
  askShard(from: string, to: string, bytes: Uint8Array): Promise<Uint8Array>;
  /** To the leader of the metadata. */
  change(from: string, command: MetadataCommand): Promise<MetadataState | Refused>;
}

interface RouterParts {
  readonly node: string;
  readonly database: Database;
  readonly life: ProcessLife;
  readonly chance: Prng;
  readonly network: RouterNetwork;
}

const reconcileEveryMs = 100;

/** Beside a database: the real router, the real service of shards, and the real loop that tends replicas. */
export class SimulatedRouter {
  readonly #parts: RouterParts;
  readonly #service: ShardService;
  readonly #tables: RoutedTables;

  constructor(parts: RouterParts) {
    const { node, database, life, chance, network } = parts;
    this.#parts = parts;
    const service = new ShardService(node, {
      database,
      requireRoom: () => undefined,
      refusal: () => undefined,
    });
    this.#service = service;
    const { signal } = new AbortController();
    this.#tables = new RoutedTables({
      clock: life,
      chance,
      own: service,
      peers: {
        ask: (to, { bytes }, stop) =>
          to === node ? service.answer(bytes, stop) : network.askShard(node, to, bytes.slice()),
      },
      table: (id) => {
        const { tables } = database.state;
        const record = Object.hasOwn(tables, id) ? tables[id] : undefined;
        if (record === undefined) return undefined;
        const placement = placementOf(record);
        return { name: record.name, database: { name: 'd' }, placement };
      },
      changed: (stop) => database.changed(stop),
      likely: (wanted = network.members(node).map(({ id }) => id)) =>
        wanted.filter((id) => id !== node),
      leader: (group) => database.replica(group)?.replicas.leader.node,
      signal,
    });
    this.#tendLater();
  }

  table(id: string): TableAccess | undefined {
    return this.#tables.access(id);
  }

  answer(bytes: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return this.#service.answer(bytes, signal);
  }

  #tendLater(): void {
    const { node, database, life, network } = this.#parts;
    const again = (): void => this.#tendLater();
    life.timer(reconcileEveryMs, () => {
      const pass = reconcile({
        node,
        database,
        members: () => network.members(node),
        isRemoved: () => false,
        change: (command) => network.change(node, command),
      });
      // What is refused now is asked for again by the next pass.
      pass.then(again, again);
    });
  }
}
