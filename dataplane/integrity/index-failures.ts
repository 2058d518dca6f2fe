import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import type { ReadTransaction, WriteTransaction } from '../kv/store.ts';
import type { AppliedIndex, IndexFunction } from '../table/apply.ts';
import { metaKey } from '../table/meta-key.ts';

/**
 * Indexes whose entries cannot be trusted. Their functions are not called any more, nobody reads them,
 * and their tables go on. Guarded invariant: an index that lacks an entry is known as failed in the
 * transaction that lacks it, so that no start believes it. A rebuild begins under a new keyspace.
 */
export interface IndexFailure {
  readonly message: string;
  /** The function is fine: the node rebuilds the index. */
  readonly isRebuilt: boolean;
}

interface IndexFailuresOptions {
  /** Called once with each failure. */
  failed(keyspace: number, failure: IndexFailure): void;
  /** Hears why a first document was left out of an index. */
  leftOut(keyspace: number, why: string): void;
}

/** Anything can be thrown. */
function messageOf(error: unknown): string {
  if (typeof error === 'string') return error;
  const message: unknown = error instanceof Error ? error.message : undefined;
  return typeof message === 'string' ? message : 'something that is no error';
}

export class IndexFailures {
  readonly #options: IndexFailuresOptions;
  readonly #failures = new Map<number, IndexFailure>();
  readonly #failedEvaluations = new Map<number, number>();

  constructor(options: IndexFailuresOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#failures.size;
  }

  of(keyspace: number): IndexFailure | undefined {
    return this.#failures.get(keyspace);
  }

  /** Evaluations since the start that left a document out of an index. */
  failedEvaluationsOf(keyspace: number): number {
    return this.#failedEvaluations.get(keyspace) ?? 0;
  }

  get failedEvaluations(): number {
    return [...this.#failedEvaluations.values()].reduce((sum, count) => sum + count, 0);
  }

  #evaluationFailed(keyspace: number, error: unknown): void {
    const before = this.failedEvaluationsOf(keyspace);
    this.#failedEvaluations.set(keyspace, before + 1);
    if (before === 0) this.#options.leftOut(keyspace, messageOf(error));
  }

  /** An index whose function never throws: what it throws makes the index a failed one. */
  guarded(
    keyspace: number,
    compile: (failed: (error: unknown) => void) => IndexFunction,
  ): AppliedIndex {
    const function_ = this.#compiled(keyspace, compile);
    const keysOf: IndexFunction = (text) => {
      if (this.#failures.has(keyspace)) return [];
      try {
        return function_(text);
      } catch (error) {
        const message = `its function ended with "${messageOf(error)}" on a document`;
        this.fail(keyspace, { message, isRebuilt: false });
        return [];
      }
    };
    return { keyspace, keysOf };
  }

  #compiled(
    keyspace: number,
    compile: (failed: (error: unknown) => void) => IndexFunction,
  ): IndexFunction {
    try {
      return compile((error) => this.#evaluationFailed(keyspace, error));
    } catch (error) {
      const message = `this release cannot compile its function: ${messageOf(error)}`;
      this.fail(keyspace, { message, isRebuilt: false });
      return () => [];
    }
  }

  /** The first failure stays the reason. */
  fail(keyspace: number, failure: IndexFailure): void {
    if (this.#failures.has(keyspace)) return;
    this.#failures.set(keyspace, failure);
    this.#options.failed(keyspace, failure);
  }

  /** Takes in what earlier processes found, of the indexes that there are. */
  read(view: ReadTransaction, keyspaces: Iterable<number>): void {
    for (const keyspace of keyspaces) {
      const bytes = view.get('meta', metaKey('failed', keyspace));
      if (bytes === undefined) continue;
      this.fail(keyspace, JSON.parse(decodeUtf8(bytes)) as IndexFailure);
    }
  }

  /** Puts into the store what is not there yet: part of every transaction that keeps indexes. */
  save(transaction: WriteTransaction): void {
    for (const [keyspace, failure] of this.#failures) {
      const key = metaKey('failed', keyspace);
      if (transaction.peek('meta', key) !== undefined) continue;
      transaction.put('meta', key, encodeUtf8(JSON.stringify(failure)));
    }
  }

  /** Of an index that is gone. */
  forget(keyspace: number): void {
    this.#failures.delete(keyspace);
    this.#failedEvaluations.delete(keyspace);
  }
}
