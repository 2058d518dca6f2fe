import { spawn } from '../common/spawn.ts';
import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import type { ReplicaEvent } from '../shard/replica-care.ts';
import type { ReplicaCareHost, ShardReplica } from '../shard/shard-replica.ts';
import type { DatabaseOptions, ReplicaCounters } from './options.ts';

interface CareOfReplicasOptions {
  readonly options: Pick<
    DatabaseOptions,
    'replicate' | 'clock' | 'compareEveryMs' | 'replicaEvent'
  >;
  readonly corruption: CorruptionRegistry;
  readonly tables: { readonly replicas: Iterable<ShardReplica> };
  readonly failed: (error: Error) => void;
  readonly signal: AbortSignal;
}

const compareEveryMsDefault = 5 * 60_000;
const tickMs = 1_000;

/** Keeps the replicas of a node equal to those of other nodes: one timer for all of them. */
export class CareOfReplicas {
  readonly #options: CareOfReplicasOptions;
  readonly #counters = { compared: 0, differed: 0, rebuilt: 0 };

  constructor(options: CareOfReplicasOptions) {
    this.#options = options;
  }

  get counters(): ReplicaCounters {
    return { ...this.#counters, undecided: this.undecided.length };
  }

  /** Names of tables. */
  get undecided(): readonly string[] {
    const replicas = [...this.#options.tables.replicas];
    return replicas.flatMap(({ care, options }) =>
      care?.isUndecided === true ? options.name : [],
    );
  }

  /** Until the database stops. */
  begin(): void {
    const { options, signal, failed } = this.#options;
    spawn(
      async () => {
        for (;;) {
          await options.clock.sleep(tickMs, signal);
          for (const { care } of this.#options.tables.replicas) care?.tick();
        }
      },
      (error) => {
        if (!signal.aborted) failed(error as Error);
      },
    );
  }

  /** Undefined on a node that keeps its data alone. */
  of(group: number, keyspace: number): ReplicaCareHost | undefined {
    const { options, corruption, signal, failed } = this.#options;
    const { replicate, clock, compareEveryMs = compareEveryMsDefault } = options;
    if (replicate === undefined) return undefined;
    return {
      node: replicate.node,
      clock,
      compareEveryMs,
      hasBrokenRows: () => corruption.broken.has(keyspace),
      close: (damage) => corruption.quarantine(group, damage),
      happened: (event) => this.#happened(event),
      failed: (error) => {
        if (!signal.aborted) failed(error);
      },
    };
  }

  #happened(event: ReplicaEvent): void {
    if (event.type === 'compared') this.#counters.compared += 1;
    else if (event.type === 'differs') this.#counters.differed += 1;
    else if (event.type === 'rebuilt') this.#counters.rebuilt += 1;
    this.#options.options.replicaEvent?.(event);
  }
}
