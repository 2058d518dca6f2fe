import { IndexFailures } from '../integrity/index-failures.ts';
import type { IndexFailure } from '../integrity/index-failures.ts';
import type { ApplyStore, ReadTransaction } from '../kv/store.ts';
import type { TableChanges } from '../metadata/changes.ts';
import { keyspacesOf, partsOf } from '../metadata/shards.ts';
import { qualifiedName, userIndexes } from '../metadata/state.ts';
import type { IndexRecord, MetadataState, TableRecord } from '../metadata/state.ts';
import type { AppliedIndex, CompileIndex } from '../table/apply.ts';

/** The compiled indexes of a node's tables, and those of them that have failed. */
export interface PlaceOfIndex {
  readonly tableId: string;
  /** `database.table` */
  readonly table: string;
  readonly index: string;
}

export interface FailedIndex extends PlaceOfIndex, IndexFailure {}

export interface IndexState extends IndexRecord {
  /** Why it is not kept any more. */
  readonly failure?: string;
  /** Evaluations since the start that left a document out of it, if there were any. */
  readonly failedEvaluations?: number;
  /** The node is about to rebuild it. */
  readonly isRebuilt?: boolean;
  /** How much of it is there: from 0 to 1, and 1 only when it is ready. */
  readonly progress: number;
}

interface TableIndexesOptions {
  readonly store: ApplyStore;
  readonly compileIndex: CompileIndex;
  readonly tables: { readonly state: MetadataState };
  /** Gives a failed index another keyspace; calls `ended` when that is committed, or cannot be. */
  rebuild(tableId: string, keyspace: number, ended: () => void): void;
  failed(failed: FailedIndex): void;
  /** Called with the first document that an index function failed on. */
  leftOut(place: PlaceOfIndex, why: string): void;
  notSaved(error: Error): void;
  /** Whether the store has the metadata: before that, a mark would be of an index that nobody knows. */
  isOpen(): boolean;
}

export class TableIndexes {
  readonly failures: IndexFailures;
  readonly #options: TableIndexesOptions;
  readonly #indexes = new Map<number, AppliedIndex>();
  /** Keyspaces of failed indexes that are about to get others. */
  readonly #rebuilding = new Set<number>();

  constructor(options: TableIndexesOptions) {
    this.#options = options;
    this.failures = new IndexFailures({
      failed: (keyspace, failure) => this.#failed(keyspace, failure),
      leftOut: (keyspace, why) => {
        const place = this.#placeOf(keyspace);
        if (place !== undefined) options.leftOut(place, why);
      },
    });
  }

  /** Undefined for one that is gone or has failed: nobody reads, keeps or builds it. */
  of(keyspace: number): AppliedIndex | undefined {
    return this.failures.of(keyspace) === undefined ? this.#indexes.get(keyspace) : undefined;
  }

  /** Makes the compiled indexes those of the metadata, which changed so since `before`. */
  adopt({ put, removed }: TableChanges, before: MetadataState): void {
    const old = [...removed, ...put.flatMap(({ id }) => before.tables[id] ?? [])];
    const wanted = new Set(put.flatMap(({ indexes }) => indexes.flatMap(keyspacesOf)));
    for (const keyspace of old.flatMap(({ indexes }) => indexes.flatMap(keyspacesOf))) {
      if (wanted.has(keyspace)) continue;
      this.#indexes.delete(keyspace);
      this.failures.forget(keyspace);
    }
    for (const index of put.flatMap(({ indexes }) => indexes)) {
      for (const keyspace of keyspacesOf(index)) this.#compile(index, keyspace);
    }
  }

  #compile({ definition, multi, geo }: IndexRecord, keyspace: number): void {
    if (this.#indexes.has(keyspace)) return;
    const compiled = this.failures.guarded(keyspace, (failed) =>
      this.#options.compileIndex(definition, multi, geo, failed),
    );
    this.#indexes.set(keyspace, compiled);
  }

  /** What earlier processes found. */
  readFailures(view: ReadTransaction): void {
    this.failures.read(view, this.#indexes.keys());
  }

  states(table: TableRecord, progressOf: (keyspace: number) => number): IndexState[] {
    return userIndexes(table).map((index) => {
      const keyspaces = keyspacesOf(index);
      const failed = this.#failureOf(keyspaces);
      const failedEvaluations = keyspaces.reduce(
        (sum, keyspace) => sum + this.failures.failedEvaluationsOf(keyspace),
        0,
      );
      const missing = failedEvaluations === 0 ? {} : { failedEvaluations };
      if (failed === undefined) {
        const shares = partsOf(index).map((part) => (part.ready ? 1 : progressOf(part.keyspace)));
        const progress = shares.reduce((sum, share) => sum + share, 0) / shares.length;
        return { ...index, ...missing, progress };
      }
      const { message: failure, isRebuilt } = failed;
      return { ...index, ...missing, ready: false, progress: 0, failure, isRebuilt };
    });
  }

  /** Of one of the parts; rather one that the node does not repair. */
  #failureOf(keyspaces: readonly number[]): IndexFailure | undefined {
    const failures = keyspaces.flatMap((keyspace) => this.failures.of(keyspace) ?? []);
    return failures.find(({ isRebuilt }) => !isRebuilt) ?? failures[0];
  }

  failed(): readonly FailedIndex[] {
    if (this.failures.size === 0) return [];
    const { state } = this.#options.tables;
    return Object.values(state.tables).flatMap((table) =>
      table.indexes.flatMap((index) => {
        const failure = this.#failureOf(keyspacesOf(index));
        if (failure === undefined) return [];
        const place = { tableId: table.id, table: qualifiedName(state, table), index: index.name };
        return [{ ...place, ...failure }];
      }),
    );
  }

  /** Builds again those of which only the entries are wrong. */
  rebuildFailed(): void {
    for (const { id, indexes } of Object.values(this.#options.tables.state.tables)) {
      for (const keyspace of indexes.flatMap(keyspacesOf)) {
        if (this.failures.of(keyspace)?.isRebuilt === true) this.#rebuild(id, keyspace);
      }
    }
  }

  #rebuild(tableId: string, keyspace: number): void {
    if (this.#rebuilding.has(keyspace)) return;
    this.#rebuilding.add(keyspace);
    this.#options.rebuild(tableId, keyspace, () => this.#rebuilding.delete(keyspace));
  }

  #failed(keyspace: number, failure: IndexFailure): void {
    // The applier puts it into the transaction that it is about; whoever else met it does not.
    if (this.#options.isOpen()) {
      const saved = this.#options.store.write((transaction) => this.failures.save(transaction));
      saved.catch((error: unknown) => this.#options.notSaved(error as Error));
    }
    const place = this.#placeOf(keyspace);
    if (place === undefined) return;
    this.#options.failed({ ...place, ...failure });
    if (failure.isRebuilt) this.rebuildFailed();
  }

  #placeOf(keyspace: number): PlaceOfIndex | undefined {
    const { state } = this.#options.tables;
    for (const table of Object.values(state.tables)) {
      const index = table.indexes.find((each) => keyspacesOf(each).includes(keyspace))?.name;
      if (index === undefined) continue;
      return { tableId: table.id, table: qualifiedName(state, table), index };
    }
    return undefined;
  }
}
