import { createHash } from 'node:crypto';
import { assert } from '../common/assert.ts';
import { RingRefusedError } from './errors.ts';

/**
 * The keys of a cluster's gossip: one encrypts, every installed one decrypts. A key is replaced without loss
 * in three steps that each reach every node before the next begins: install, use, remove.
 */
export const keyBytes = 32;
const keysMax = 8;

export interface RingKey {
  /** The first eight bytes of the key's SHA-256, in hexadecimal: identifies the key without revealing it. */
  readonly id: string;
  readonly key: Uint8Array;
}

const idOf = (key: Uint8Array): string =>
  createHash('sha256').update(key).digest('hex').slice(0, 16);

export class KeyRing {
  readonly #keys = new Map<string, RingKey>();
  #primary: RingKey;

  /** One key, or several of which the first one encrypts. */
  constructor(keys: Uint8Array | readonly Uint8Array[]) {
    const [first, ...others] = keys instanceof Uint8Array ? [keys] : keys;
    assert(first !== undefined, 'a ring has a key');
    this.#primary = this.install(first);
    for (const key of others) this.install(key);
  }

  /** The ring as the cluster has it now; the first key encrypts. */
  replace(keys: readonly Uint8Array[]): void {
    const next = new KeyRing(keys);
    this.#keys.clear();
    for (const id of next.ids) this.#keys.set(id, next.find(id) as RingKey);
    this.#primary = next.primary;
  }

  get primary(): RingKey {
    return this.#primary;
  }

  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  find(id: string): RingKey | undefined {
    return this.#keys.get(id);
  }

  /** By the beginning of its ID. */
  findByPrefix(prefix: string): RingKey | undefined {
    for (const key of this.#keys.values()) if (key.id.startsWith(prefix)) return key;
    return undefined;
  }

  /** From now on the key decrypts; installing it once more changes nothing. */
  install(key: Uint8Array): RingKey {
    if (key.byteLength !== keyBytes) {
      throw new RingRefusedError(
        `A gossip key has ${keyBytes} bytes; this one has ${key.byteLength}.`,
      );
    }
    const id = idOf(key);
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    if (this.#keys.size >= keysMax) {
      throw new RingRefusedError(
        `The ring has ${keysMax} keys already. Remove those that no node uses any more.`,
      );
    }
    const installed = { id, key: Uint8Array.from(key) };
    this.#keys.set(id, installed);
    return installed;
  }

  /** From now on the key encrypts. */
  use(id: string): void {
    const key = this.#keys.get(id);
    if (key === undefined) {
      throw new RingRefusedError(`The ring has no key ${id}. Install it on every node first.`);
    }
    this.#primary = key;
  }

  remove(id: string): void {
    if (id === this.#primary.id) {
      throw new RingRefusedError(`The key ${id} encrypts. Use another one on every node first.`);
    }
    this.#keys.delete(id);
  }
}
