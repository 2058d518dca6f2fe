import type { ReadTransaction } from '../../kv/store.ts';
import { decodeDocument, keyspaceKey } from '../../table/envelope.ts';
import { isOfVersion, KeyCounts, lacksNothing, mayLack } from '../../wire/unapplied-block.ts';
import type { Row } from '../../wire/table-access.ts';
import type { LocatedTable, ShardLayout } from './table-layout.ts';

export interface DirectReadsOptions {
  /** Runs a body over a snapshot that is as new as the call. */
  readonly store: { read<T>(body: (view: ReadTransaction) => T): T };
  /** What the core has published of a group. */
  readonly blocks: { read(group: number): DataView };
  /** Whether the core still runs: another one would publish elsewhere. */
  readonly isCoreThere: () => boolean;
}

/** Of which the counts of sent writes are kept between writes. */
const countedTablesMax = 64;

/** The core must be asked. */
export const askCore = Symbol('ask the core');

/**
 * Reads of the store by a query worker, where they are certain to be right. Guarded invariants: the core's word is read
 * first, and the snapshot begins behind it, so that it has every write that was acknowledged before; whatever is not
 * certain, damaged or unexpected is asked of the core.
 */
export class DirectReads {
  readonly #options: DirectReadsOptions;
  /** Documents by table since `taken`, and reads that the core was asked for. */
  #documents = new Map<string, number>();
  #forwarded = 0;
  /** By table: writes of this worker that the core has not answered. It may not even have them. */
  readonly #sent = new Map<string, KeyCounts>();

  constructor(options: DirectReadsOptions) {
    this.#options = options;
  }

  get(table: LocatedTable, key: Uint8Array): Row | undefined | typeof askCore {
    const { store, blocks, isCoreThere } = this.#options;
    const shard = table.shardOf(key);
    if (shard === undefined || this.#sent.get(table.id)?.mayHave(key) === true) return askCore;
    const block = blocks.read(shard.group);
    if (!isOfVersion(block, shard) || mayLack(block, key) || !isCoreThere()) return askCore;
    try {
      const text = store.read((view) => textIn(view, shard.keyspace, key));
      this.count(table, 1);
      return text === undefined ? undefined : { key, text };
    } catch {
      // The core meets it, too, and reports it.
      return askCore;
    }
  }

  /** Whether the core has answered every write that this worker has sent to a table. */
  hasAnswers({ id }: LocatedTable): boolean {
    return (this.#sent.get(id)?.total ?? 0) === 0;
  }

  /**
   * Runs a write. Until it is answered, its keys are read by the core, which takes what a worker sends in order: a
   * query behind a write that nobody waits for sees it.
   */
  async write<T>(
    { id }: LocatedTable,
    keys: readonly { readonly key: Uint8Array }[],
    work: () => Promise<T>,
  ): Promise<T> {
    const sent = this.#sent.get(id) ?? new KeyCounts();
    this.#sent.set(id, sent);
    for (const { key } of keys) sent.add(key);
    try {
      return await work();
    } finally {
      for (const { key } of keys) sent.remove(key);
      // Counts take memory that most writes can use again.
      if (sent.total === 0 && this.#sent.size > countedTablesMax) this.#sent.delete(id);
    }
  }

  /** Runs a body over all rows of a shard; `askCore` when some might be missing. */
  over<T>(shard: ShardLayout, body: (view: ReadTransaction) => T): T | typeof askCore {
    const { store, isCoreThere } = this.#options;
    return this.#permits(shard) && isCoreThere() ? store.read(body) : askCore;
  }

  count({ id }: LocatedTable, documents: number): void {
    this.#documents.set(id, (this.#documents.get(id) ?? 0) + documents);
  }

  forwarded(): void {
    this.#forwarded += 1;
  }

  /** What was counted since the last call; undefined for nothing. */
  taken(): DirectCounts | undefined {
    if (this.#documents.size === 0 && this.#forwarded === 0) return undefined;
    const counts = { documents: [...this.#documents], forwarded: this.#forwarded };
    this.#documents = new Map();
    this.#forwarded = 0;
    return counts;
  }

  #permits(shard: ShardLayout): boolean {
    const block = this.#options.blocks.read(shard.group);
    return isOfVersion(block, shard) && lacksNothing(block);
  }
}

export interface DirectCounts {
  /** That were read directly, by table. */
  readonly documents: readonly (readonly [table: string, count: number])[];
  /** Reads that the core was asked for though the table could be read directly. */
  readonly forwarded: number;
}

/** Throws for a document that is damaged. */
export function textIn(
  view: ReadTransaction,
  keyspace: number,
  key: Uint8Array,
): string | undefined {
  const storedKey = keyspaceKey(keyspace, key);
  const value = view.peek('data', storedKey);
  return value === undefined ? undefined : decodeDocument(storedKey, value).text;
}
