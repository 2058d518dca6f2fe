import { MemoryStore } from '../../../dataplane/kv/memory-store.ts';
import { databaseNames } from '../../../dataplane/kv/store.ts';
import type {
  ApplyStore,
  ReadTransaction,
  Snapshot,
  StoreStatistics,
  WriteTransaction,
} from '../../../dataplane/kv/store.ts';
import type { ProcessLife } from '../cluster/process-life.ts';

/** What a crash leaves: nothing before the first start. */
export type StoreImage = Snapshot | undefined;

async function filled(image: StoreImage): Promise<MemoryStore> {
  const store = new MemoryStore();
  if (image === undefined) return store;
  await store.write((transaction) => {
    for (const name of databaseNames)
      for (const { key, value } of image.entries(name, {})) transaction.put(name, key, value);
  });
  return store;
}

/** The store of one life of a process: commits and flushes take their time, and nothing happens after its end. */
export class SimulatedStore implements ApplyStore {
  readonly #inner: MemoryStore;
  readonly #life: ProcessLife;
  readonly #commitMs: () => number;
  #flushed: Snapshot;

  private constructor(inner: MemoryStore, life: ProcessLife, commitMs: () => number) {
    this.#inner = inner;
    this.#life = life;
    this.#commitMs = commitMs;
    this.#flushed = inner.snapshot();
  }

  static async open(
    image: StoreImage,
    life: ProcessLife,
    commitMs: () => number,
  ): Promise<SimulatedStore> {
    return new SimulatedStore(await filled(image), life, commitMs);
  }

  /** What the next process finds. */
  image(isFlushed: boolean): Snapshot {
    return isFlushed ? this.#flushed : this.#inner.snapshot();
  }

  read<T>(body: (transaction: ReadTransaction) => T): T {
    return this.#inner.read(body);
  }

  async write<T>(body: (transaction: WriteTransaction) => T): Promise<T> {
    await this.#life.delay(this.#commitMs());
    return this.#inner.write(body);
  }

  async flushed(): Promise<void> {
    await this.#inner.flushed();
    const view = this.#inner.snapshot();
    await this.#life.delay(this.#commitMs());
    this.#flushed = view;
  }

  statistics(): StoreStatistics {
    return this.#inner.statistics();
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }
}
