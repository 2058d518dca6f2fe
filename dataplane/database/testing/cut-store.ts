import { setImmediate as turn } from 'node:timers/promises';
import { MemoryStore } from '../../kv/memory-store.ts';
import { databaseNames } from '../../kv/store.ts';
import type {
  ApplyStore,
  ReadTransaction,
  Snapshot,
  StoreStatistics,
  WriteTransaction,
} from '../../kv/store.ts';

/** What a crash leaves of a store: all that was visible, or what was flushed for certain. */
export type StoreLeft = 'visible' | 'flushed';

/** A store in memory whose process may end before any write, and which another process opens again. */
export class CutStore implements ApplyStore {
  readonly #inner: MemoryStore;
  #flushed: Snapshot;
  #writesLeft = Number.POSITIVE_INFINITY;
  /** The newest write that is under way; those before it are done when it is. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #over = Promise.withResolvers<void>();

  constructor(inner = new MemoryStore()) {
    this.#inner = inner;
    this.#flushed = inner.snapshot();
  }

  /** Resolves when the process has ended. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** The process ends before the write behind so many others; nothing answers from then on. */
  cutAfter(writes: number): void {
    this.#writesLeft = writes;
  }

  /** What the next process finds. */
  async reopened(left: StoreLeft): Promise<CutStore> {
    const view = left === 'visible' ? this.#inner.snapshot() : this.#flushed;
    const inner = new MemoryStore();
    await inner.write((transaction) => {
      for (const name of databaseNames)
        for (const { key, value } of view.entries(name, {})) transaction.put(name, key, value);
    });
    return new CutStore(inner);
  }

  read<T>(body: (transaction: ReadTransaction) => T): T {
    return this.#inner.read(body);
  }

  async write<T>(body: (transaction: WriteTransaction) => T): Promise<T> {
    if (this.#writesLeft <= 0) return this.#ended();
    this.#writesLeft -= 1;
    // As a medium does, it lets others have their turn.
    const written = turn().then(() => this.#inner.write(body));
    this.#last = written.catch(() => undefined);
    return written;
  }

  async flushed(): Promise<void> {
    if (this.#writesLeft <= 0) return this.#ended();
    await this.#inner.flushed();
    this.#flushed = this.#inner.snapshot();
  }

  statistics(): StoreStatistics {
    return this.#inner.statistics();
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  async #ended(): Promise<never> {
    await this.#last;
    this.#over.resolve();
    return new Promise<never>(() => undefined);
  }
}
