import { envelopeHash } from './envelope.ts';

/** Count, bytes and additive hash of the values of a keyspace. */
export interface KeyspaceStatistics {
  readonly count: number;
  readonly bytes: number;
  /** Sum of every value's hash, modulo 2^52. */
  readonly hash: number;
}

const hashModulus = 2 ** 52;

/** A sum from 0 to the modulus, of numbers of both signs. */
const reduced = (hash: number): number => ((hash % hashModulus) + hashModulus) % hashModulus;

/** A sum of rows that come and go; it may be below nothing, as a difference. */
export class RowSum {
  #count = 0;
  #bytes = 0;
  #hash = 0;

  get total(): KeyspaceStatistics {
    return { count: this.#count, bytes: this.#bytes, hash: this.#hash };
  }

  row(storedKey: Uint8Array, value: Uint8Array, sign: 1 | -1): void {
    this.#count += sign;
    this.#bytes += sign * (storedKey.byteLength + value.byteLength);
    this.#hash = reduced(this.#hash + sign * envelopeHash(storedKey, value));
  }

  add({ count, bytes, hash }: KeyspaceStatistics): void {
    this.#count += count;
    this.#bytes += bytes;
    this.#hash = reduced(this.#hash + hash);
  }
}
