import type { Tables } from '../apply/tables.ts';
import type { Clock } from '../common/clock.ts';
import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import type { IndexFailures } from '../integrity/index-failures.ts';
import type { ApplyStore } from '../kv/store.ts';
import type { TableChanges } from '../metadata/changes.ts';
import { partsOf, shardsOf } from '../metadata/shards.ts';
import type { ShardRecord, TableRecord } from '../metadata/state.ts';
import type { BackgroundWork } from './background-work.ts';
import type { GarbageCollector } from './garbage-collector.ts';
import { markBuilt } from './built-indexes.ts';
import { buildIndex, readProgress, removeProgress } from './index-build.ts';

export interface IndexBuilderOptions {
  readonly store: ApplyStore;
  readonly tables: Tables;
  readonly corruption: CorruptionRegistry;
  readonly failures: IndexFailures;
  readonly collector: GarbageCollector;
  readonly work: BackgroundWork;
  readonly clock: Pick<Clock, 'now'>;
}

/** Builds the indexes that are not ready, each part of one over the rows of its shard. */
export class IndexBuilder {
  readonly #options: IndexBuilderOptions;
  /** By identifier: tables with an index that is not ready. */
  readonly #unbuilt = new Map<string, TableRecord>();
  /** How far the builds of this process are for certain: no crash takes anything of it back. */
  readonly #progress = new Map<number, number>();

  constructor(options: IndexBuilderOptions) {
    this.#options = options;
  }

  /** Begins what the metadata asks for, which changed so since the last call. */
  start({ put, removed }: TableChanges): void {
    for (const { id } of removed) this.#unbuilt.delete(id);
    for (const table of put) {
      if (this.#isBuilt(table)) this.#unbuilt.delete(table.id);
      else this.#unbuilt.set(table.id, table);
    }
    for (const table of this.#unbuilt.values()) {
      for (const [at, shard] of shardsOf(table).entries()) {
        if (this.#options.corruption.groups.of(shard.group) !== undefined) continue;
        if (this.#options.tables.isHere(shard.group)) this.#startBuilds(table, shard, at);
      }
    }
  }

  /** Whether nothing is left to do for the indexes of a table here. */
  #isBuilt({ indexes }: TableRecord): boolean {
    return indexes
      .flatMap(partsOf)
      .every((part) => part.ready && this.#options.tables.isReady(part));
  }

  /** The share of a shard that the build of a part has done. */
  progressOf(keyspace: number): number {
    return this.#progress.get(keyspace) ?? this.#storedProgress(keyspace);
  }

  #storedProgress(keyspace: number): number {
    return this.#options.store.read((view) => readProgress(view, keyspace)?.share ?? 0);
  }

  #startBuilds(table: TableRecord, shard: ShardRecord, at: number): void {
    const { work, collector, tables } = this.#options;
    for (const index of table.indexes) {
      const part = partsOf(index)[at];
      if (part === undefined || (part.ready && this.#options.tables.isReady(part))) continue;
      const { keyspace } = part;
      const build = { tableId: table.id, shard, keyspace };
      // An index that was dropped while it was built is garbage by then.
      work.begin(
        keyspace,
        () => this.#build(build),
        () => {
          collector.collectIf(keyspace);
          // Its rows were replaced while it waited for others.
          const isKept = tables.index(keyspace) !== undefined;
          if (isKept && !tables.isReady({ keyspace, ready: true })) this.#buildAgain(table.id);
        },
      );
    }
  }

  /** Whether the metadata has a part that it does not call ready. */
  #isAwaited(tableId: string, keyspace: number): boolean {
    const indexes = this.#options.tables.state.tables[tableId]?.indexes ?? [];
    return indexes.flatMap(partsOf).some((part) => part.keyspace === keyspace && !part.ready);
  }

  #buildAgain(tableId: string): void {
    const table = this.#options.tables.state.tables[tableId];
    if (table !== undefined) this.start({ put: [table], removed: [] });
  }

  async #build({
    tableId,
    shard,
    keyspace,
  }: {
    readonly tableId: string;
    readonly shard: ShardRecord;
    readonly keyspace: number;
  }): Promise<void> {
    const { store, clock, tables, corruption, failures, work } = this.#options;
    const index = tables.index(keyspace);
    if (index === undefined) return;
    const isWanted = (): boolean => tables.index(keyspace) !== undefined;
    const flushed = (): void => {
      this.#progress.set(keyspace, this.#storedProgress(keyspace));
    };
    // What an earlier process has left was flushed, or it would not be here.
    flushed();
    try {
      // After a power cut the log would call an index ready whose entries are not on the medium.
      await buildIndex(store, {
        keyspace: shard.keyspace,
        index,
        clock,
        isWanted,
        flushed,
        saveFailures: (transaction) => failures.save(transaction),
        damagedDocument: (error) => corruption.report(corruption.named(error)),
        signal: work.signal,
      });
      if (!isWanted()) return;
      if (!tables.isReady({ keyspace, ready: true }))
        await store.write((transaction) => markBuilt(transaction, keyspace));
      // Readers ask the leader of the shard, so its part is the one that counts.
      await work.change(
        { type: 'indexReady', tableId, keyspace },
        {
          isWanted: () => this.#isAwaited(tableId, keyspace),
          isHere: () => tables.isLeading(shard.group),
        },
      );
      await store.write((transaction) => removeProgress(transaction, keyspace));
    } finally {
      this.#progress.delete(keyspace);
    }
  }
}
