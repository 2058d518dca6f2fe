import type { ReplicatedGroup } from '../replicated-group.ts';
import { ManualMemberLog } from './manual-member-log.ts';
import { Nodes, timing } from './nodes.ts';
import { Store, StoreSnapshots } from './store.ts';

export const ids = ['a', 'b', 'c'] as const;
export const electionMs = timing.electionTicks * timing.tickMs;
export const members = { voters: ids, outgoing: [], learners: [] };

interface Replica {
  readonly store: Store;
  readonly group: ReplicatedGroup;
  readonly snapshots: StoreSnapshots;
}

/** Three nodes with one group each, over logs that sync at once. */
export class Cluster {
  readonly nodes = new Nodes();
  readonly replicas = new Map<string, Replica>();
  readonly #snapshots = new Map<string, StoreSnapshots>();

  static async start(quiesceTicks?: number): Promise<Cluster> {
    const cluster = new Cluster();
    for (const id of ids) {
      const log = new ManualMemberLog();
      log.isQuick = true;
      cluster.nodes.start(id, { log }, { quiesceTicks });
    }
    for (const id of ids) cluster.join(id);
    await cluster.nodes.settle();
    return cluster;
  }

  join(id: string, store = new Store(), configuration = members): Replica {
    const own = (): Replica => this.of(id);
    const snapshots = new StoreSnapshots(own, this.#snapshots);
    this.#snapshots.set(id, snapshots);
    const { groups } = this.nodes.nodes.get(id) as { groups: { join: Joiner } };
    const start = { applied: store.applied, configuration, snapshots };
    const replica = { store, snapshots, group: groups.join(1, store, start) };
    this.replicas.set(id, replica);
    return replica;
  }

  of(id: string): Replica {
    return this.replicas.get(id) as Replica;
  }

  log(id: string): ManualMemberLog {
    return this.nodes.nodes.get(id)?.log as ManualMemberLog;
  }

  async write(id: string, ...texts: string[]): Promise<void> {
    const { store, group } = this.of(id);
    for (const text of texts) {
      const position = store.propose(group, text);
      if (position instanceof Error) throw position;
    }
    await this.nodes.settle();
  }

  get entriesSent(): string[] {
    return this.nodes.sent.filter((sent) => sent.endsWith('bulk'));
  }

  texts(): string[][] {
    return ids.map((id) => this.of(id).store.texts);
  }
}

type Joiner = (group: number, store: Store, start: object) => ReplicatedGroup;
