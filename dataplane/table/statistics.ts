import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import type { ReadTransaction, WriteTransaction } from '../kv/store.ts';
import { envelopeHash } from './envelope.ts';
import { metaKey } from './meta-key.ts';

/**
 * Count, bytes and additive hash of each keyspace, kept in the transaction that changes its values:
 * checksums see a damaged value, these see a lost one.
 */
export interface KeyspaceStatistics {
  readonly count: number;
  readonly bytes: number;
  /** Sum of every value's hash, modulo 2^52. */
  readonly hash: number;
}

const hashModulus = 2 ** 52;
/** In 0 to the modulus, of a sum of both signs. */
const reduced = (hash: number): number => ((hash % hashModulus) + hashModulus) % hashModulus;
const none: KeyspaceStatistics = { count: 0, bytes: 0, hash: 0 };

export function readStatistics(transaction: ReadTransaction, keyspace: number): KeyspaceStatistics {
  const bytes = transaction.get('meta', metaKey('statistics', keyspace));
  if (bytes === undefined) return none;
  const reader = new ByteReader(bytes);
  return { count: reader.u64(), bytes: reader.u64(), hash: reader.u64() };
}

/** What the commands of one transaction add; written once at its end. */
export class StatisticsChange {
  readonly #keyspace: number;
  #count = 0;
  #bytes = 0;
  #hash = 0;

  constructor(keyspace: number) {
    this.#keyspace = keyspace;
  }

  add(storedKey: Uint8Array, value: Uint8Array): void {
    this.#count += 1;
    this.#bytes += storedKey.byteLength + value.byteLength;
    this.#hash = reduced(this.#hash + envelopeHash(storedKey, value));
  }

  subtract(storedKey: Uint8Array, value: Uint8Array): void {
    this.#count -= 1;
    this.#bytes -= storedKey.byteLength + value.byteLength;
    this.#hash = reduced(this.#hash - envelopeHash(storedKey, value));
  }

  /** What the keyspace holds when it was empty before. */
  get total(): KeyspaceStatistics {
    return { count: this.#count, bytes: this.#bytes, hash: this.#hash };
  }

  write(transaction: WriteTransaction): void {
    const before = readStatistics(transaction, this.#keyspace);
    const hash = reduced(before.hash + this.#hash);
    const writer = new ByteWriter(24);
    writer
      .u64(before.count + this.#count)
      .u64(before.bytes + this.#bytes)
      .u64(hash);
    transaction.put('meta', metaKey('statistics', this.#keyspace), writer.finish());
  }
}
