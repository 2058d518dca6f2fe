import type { ApplyStore, WriteTransaction } from '../kv/store.ts';
import { metaKey } from '../table/meta-key.ts';

const nothing = new Uint8Array();

/**
 * Which parts of indexes this node has built. The metadata calls a part ready when the leader of its shard has; each
 * other replica builds its own entries and marks them here, in the transaction behind the last of them.
 */
export class BuiltIndexes {
  readonly #store: Pick<ApplyStore, 'read'>;
  /** Those that were asked for. */
  readonly #known = new Set<number>();

  constructor(store: Pick<ApplyStore, 'read'>) {
    this.#store = store;
  }

  has(keyspace: number): boolean {
    if (this.#known.has(keyspace)) return true;
    const isBuilt = this.#store.read((view) => view.get('meta', metaKey('built', keyspace)));
    if (isBuilt !== undefined) this.#known.add(keyspace);
    return isBuilt !== undefined;
  }

  forget(keyspace: number): void {
    this.#known.delete(keyspace);
  }
}

export function markBuilt(transaction: WriteTransaction, keyspace: number): void {
  transaction.put('meta', metaKey('built', keyspace), nothing);
}
