import type { Clock } from '../common/clock.ts';
import type { ApplyStore } from '../kv/store.ts';
import type { TableChanges } from '../metadata/changes.ts';
import type { MetadataCommand } from '../metadata/command.ts';
import type { Garbage, IndexRecord, MetadataState, TableRecord } from '../metadata/state.ts';
import { isRefusal } from '../replication/errors.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { clearKeyspace } from './clear.ts';
import { buildIndex, readProgress, removeProgress } from './index-build.ts';
import type { IndexBuild } from './index-build.ts';

/**
 * Work that the metadata asks for beside the requests: building indexes, and removing what was
 * dropped. Guarded invariant: one piece of work for each keyspace at a time. After a restart each
 * goes on where the store stands.
 */
export interface BackgroundOptions extends Pick<IndexBuild, 'saveFailures' | 'damagedDocument'> {
  readonly store: ApplyStore;
  readonly clock: Clock;
  state(): MetadataState;
  /** Of a table that is not served: nothing of it is read. */
  isDamaged(group: number): boolean;
  /** Undefined for one that is gone or has failed. */
  index(keyspace: number): AppliedIndex | undefined;
  /** Resolves when the store has what was committed before the call. */
  settled(): Promise<void>;
  change(command: MetadataCommand): Promise<unknown>;
  failed(error: Error): void;
  readonly signal: AbortSignal;
}

/** What the log refused is asked for again. */
const againAfterMs = 1_000;

export class Background {
  readonly #options: BackgroundOptions;
  readonly #running = new Map<number, Promise<void>>();
  /** By identifier: tables with an index that is not ready. */
  readonly #unbuilt = new Map<string, TableRecord>();
  /** How far the builds of this process are for certain: no crash takes anything of it back. */
  readonly #progress = new Map<number, number>();

  constructor(options: BackgroundOptions) {
    this.#options = options;
  }

  /** Begins what the metadata asks for, which changed so since the last call. */
  start({ put, removed }: TableChanges): void {
    for (const { id } of removed) this.#unbuilt.delete(id);
    for (const table of put) {
      if (table.indexes.every(({ ready }) => ready)) this.#unbuilt.delete(table.id);
      else this.#unbuilt.set(table.id, table);
    }
    for (const table of this.#unbuilt.values()) {
      if (this.#options.isDamaged(table.keyspace)) continue;
      for (const index of table.indexes) if (!index.ready) this.#startBuild(table, index);
    }
    for (const piece of this.#options.state().garbage) this.#startClearing(piece);
  }

  /** The share of a table that the build of an index has done. */
  progressOf(keyspace: number): number {
    return this.#progress.get(keyspace) ?? this.#storedProgress(keyspace);
  }

  #storedProgress(keyspace: number): number {
    return this.#options.store.read((view) => readProgress(view, keyspace)?.share ?? 0);
  }

  /** Resolves when all of it has ended. */
  async stopped(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  #startBuild(table: TableRecord, { keyspace }: IndexRecord): void {
    // An index that was dropped while it was built is garbage by then.
    const ended = (): void => this.#clearIfGarbage(keyspace);
    this.#inBackground(keyspace, () => this.#build(table, keyspace), ended);
  }

  async #build(table: TableRecord, keyspace: number): Promise<void> {
    const { store, clock, signal } = this.#options;
    const index = this.#options.index(keyspace);
    if (index === undefined) return;
    const isWanted = (): boolean => this.#options.index(keyspace) !== undefined;
    const flushed = (): void => {
      this.#progress.set(keyspace, this.#storedProgress(keyspace));
    };
    // What an earlier process has left was flushed, or it would not be here.
    flushed();
    try {
      // After a power cut the log would call an index ready whose entries are not on the medium.
      const { saveFailures, damagedDocument } = this.#options;
      await buildIndex(store, {
        keyspace: table.keyspace,
        index,
        clock,
        isWanted,
        flushed,
        saveFailures,
        damagedDocument,
        signal,
      });
      if (!isWanted()) return;
      await this.#change({ type: 'indexReady', tableId: table.id, keyspace });
      await store.write((transaction) => removeProgress(transaction, keyspace));
    } finally {
      this.#progress.delete(keyspace);
    }
  }

  /** Nobody else would ask again: it waits for room in the log. */
  async #change(command: MetadataCommand): Promise<void> {
    for (;;) {
      try {
        await this.#options.change(command);
        return;
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
      await this.#options.clock.sleep(againAfterMs, this.#options.signal);
    }
  }

  /**
   * The rows of an import become garbage: at once, or as soon as the log takes the change. When the node stops
   * before, its next start asks again.
   */
  async abandon(keyspace: number): Promise<void> {
    const command = { type: 'abandonImport', keyspace } as const;
    try {
      await this.#options.change(command);
    } catch (error) {
      const ended = (): void => this.#clearIfGarbage(keyspace);
      if (isRefusal(error)) this.#inBackground(keyspace, () => this.#change(command), ended);
      else if (!this.#options.signal.aborted) this.#options.failed(error as Error);
    }
  }

  #clearIfGarbage(keyspace: number): void {
    const piece = this.#options.state().garbage.find((each) => each.keyspace === keyspace);
    if (piece !== undefined) this.#startClearing(piece);
  }

  #startClearing(piece: Garbage): void {
    const { store, clock, signal } = this.#options;
    this.#inBackground(piece.keyspace, async () => {
      await clearKeyspace(store, piece, { clock, signal });
      // After a power cut the log would know of a removal that the medium does not have.
      await store.flushed();
      await this.#change({ type: 'cleared', keyspace: piece.keyspace });
    });
  }

  /**
   * It begins when the store has the change that asks for it, and what was written before: replay
   * would apply that without knowing of an index, or for one that is gone, beside what the work has
   * left in the store. Nothing begins while there is such work already.
   */
  #inBackground(
    keyspace: number,
    work: () => Promise<void>,
    ended: () => void = () => undefined,
  ): void {
    const { signal } = this.#options;
    if (signal.aborted || this.#running.has(keyspace)) return;
    const run = async (): Promise<void> => {
      try {
        await this.#options.settled();
        await work();
      } catch (error) {
        // Stopping is no failure.
        if (!signal.aborted) this.#options.failed(error as Error);
      } finally {
        this.#running.delete(keyspace);
      }
      ended();
    };
    this.#running.set(keyspace, run());
  }
}
