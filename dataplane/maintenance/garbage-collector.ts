import type { MetadataLog, Tables } from '../apply/tables.ts';
import type { Clock } from '../common/clock.ts';
import type { ApplyStore } from '../kv/store.ts';
import type { Garbage } from '../metadata/state.ts';
import { isWithdrawal } from '../replication/errors.ts';
import type { BackgroundWork } from './background-work.ts';
import { clearKeyspace } from './clear.ts';

export interface GarbageCollectorOptions {
  readonly store: ApplyStore;
  readonly tables: Pick<Tables, 'state'>;
  readonly metadata: MetadataLog;
  readonly work: BackgroundWork;
  readonly clock: Pick<Clock, 'now'>;
  /** Resolves when no state that arrives from another node is written for a group any more. */
  readonly settled: (group: number) => Promise<void>;
  failed(error: Error): void;
}

/** Removes what was dropped. */
export class GarbageCollector {
  readonly #options: GarbageCollectorOptions;

  constructor(options: GarbageCollectorOptions) {
    this.#options = options;
  }

  collect(): void {
    for (const piece of this.#options.tables.state.garbage) this.#clear(piece);
  }

  #isGarbage({ keyspace }: Garbage): boolean {
    return this.#options.tables.state.garbage.some((each) => each.keyspace === keyspace);
  }

  /** Of a keyspace, when it is garbage by now. */
  collectIf(keyspace: number): void {
    const { garbage } = this.#options.tables.state;
    const piece = garbage.find((each) => each.keyspace === keyspace);
    if (piece !== undefined) this.#clear(piece);
  }

  /**
   * The rows of an import become garbage: at once, or as soon as the log takes the change. When the node stops
   * before, its next start asks again.
   */
  async abandon(keyspace: number): Promise<void> {
    const { metadata, work } = this.#options;
    const command = { type: 'abandonImport', keyspace } as const;
    try {
      await metadata.change(command);
    } catch (error) {
      const ended = (): void => this.collectIf(keyspace);
      if (isWithdrawal(error)) work.begin(keyspace, () => work.change(command), ended);
      else if (!work.signal.aborted) this.#options.failed(error as Error);
    }
  }

  /** Removes what a replica has left here that other nodes have now. */
  vacate(
    {
      group,
      keyspace,
      indexes,
    }: {
      readonly group: number;
      readonly keyspace: number;
      readonly indexes: readonly number[];
    },
    ended: () => void,
  ): void {
    const { store, clock, work, settled } = this.#options;
    const parts = { clock, signal: work.signal };
    const clear = async (): Promise<void> => {
      await settled(group);
      for (const index of indexes)
        await clearKeyspace(store, { keyspace: index, database: 'index' }, parts);
      await clearKeyspace(store, { keyspace, group, database: 'data' }, parts);
      // The log may only forget the group when the medium has.
      await store.flushed();
    };
    work.begin(keyspace, clear, () => {
      if (work.signal.aborted) return;
      ended();
      // The table may have been dropped meanwhile.
      for (const each of [keyspace, ...indexes]) this.collectIf(each);
    });
  }

  #clear(piece: Garbage): void {
    const { store, clock, work, settled } = this.#options;
    work.begin(piece.keyspace, async () => {
      await settled(piece.group ?? piece.keyspace);
      await clearKeyspace(store, piece, { clock, signal: work.signal });
      // After a power cut the log would know of a removal that the medium does not have.
      await store.flushed();
      await work.change(
        { type: 'cleared', keyspace: piece.keyspace },
        { isWanted: () => this.#isGarbage(piece), isHere: () => true },
      );
    });
  }
}
