import { createHash } from 'node:crypto';
import { RingRefusedError } from './errors.ts';

/**
 * The keys of a cluster's gossip: one encrypts, every installed one decrypts. A key is replaced without loss
 * in three steps that each reach every node before the next begins: install, use, remove.
 */
export const keyBytes = 32;
const keysMax = 8;

export interface RingKey {
  /** The first eight bytes of the key's SHA-256, in hexadecimal: names the key, tells nothing of it. */
  readonly id: string;
  readonly key: Uint8Array;
}

const idOf = (key: Uint8Array): string =>
  createHash('sha256').update(key).digest('hex').slice(0, 16);

export class KeyRing {
  readonly #keys = new Map<string, RingKey>();
  #primary: RingKey;

  constructor(key: Uint8Array) {
    this.#primary = this.install(key);
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
