import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { encodeUtf8, equalBytes } from '../common/bytes.ts';
import type { ApplyStore, ReadTransaction, WriteTransaction } from '../kv/store.ts';
import { metaKey } from '../table/meta-key.ts';

/**
 * Up to which version the documents of a table may be none: those of a release that did not check what
 * it wrote, and what the log or an export held. Readers look at the text of these; a scrub that finds
 * all of them right ends that.
 */
const unchecked = (keyspace: number): Uint8Array => metaKey('unchecked', keyspace);

/** There once the documents of earlier releases are known as unchecked. */
const knownKey = encodeUtf8('unchecked-known');

export function readUnchecked(view: ReadTransaction, keyspace: number): number {
  const bytes = view.peek('meta', unchecked(keyspace));
  return bytes === undefined ? 0 : new ByteReader(bytes).u64();
}

export function writeUnchecked(
  transaction: WriteTransaction,
  keyspace: number,
  version: number,
): void {
  if (version > readUnchecked(transaction, keyspace))
    transaction.put('meta', unchecked(keyspace), new ByteWriter(16).u64(version).finish());
}

/** For each keyspace, the last version that it may have so far. */
export function markUnchecked(
  transaction: WriteTransaction,
  versions: Iterable<readonly [keyspace: number, version: number]>,
): void {
  for (const [keyspace, version] of versions) writeUnchecked(transaction, keyspace, version);
  transaction.put('meta', knownKey, Uint8Array.of(1));
}

/** Of a store that holds nothing else. */
export const isUncheckedMark = (key: Uint8Array): boolean => equalBytes(key, knownKey);

export const areUncheckedKnown = (view: ReadTransaction): boolean =>
  view.peek('meta', knownKey) !== undefined;

/** What the shards of a node compare the versions of documents with. */
export class UncheckedVersions {
  readonly #versions = new Map<number, { version: number }>();
  readonly #changed: (keyspace: number) => void;

  /** `changed`: called when documents of a keyspace are to be looked at from now on, and when none is any more. */
  constructor(changed: (keyspace: number) => void) {
    this.#changed = changed;
  }

  /** The same object for a keyspace, as long as it lives. */
  of(keyspace: number): { version: number } {
    const known = this.#versions.get(keyspace) ?? { version: 0 };
    this.#versions.set(keyspace, known);
    return known;
  }

  raise(keyspace: number, version: number): void {
    const known = this.of(keyspace);
    if (version <= known.version) return;
    known.version = version;
    this.#changed(keyspace);
  }

  /** The rows of a keyspace are others. */
  read(store: Pick<ApplyStore, 'read'>, keyspace: number): void {
    this.of(keyspace).version = store.read((view) => readUnchecked(view, keyspace));
  }

  /** All documents up to this version were checked. */
  cleared(transaction: WriteTransaction, keyspace: number, version: number): void {
    const known = this.of(keyspace);
    if (known.version > version) return;
    transaction.remove('meta', unchecked(keyspace));
    known.version = 0;
    this.#changed(keyspace);
  }

  forget(keyspace: number): void {
    this.#versions.delete(keyspace);
  }
}
