import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { encodeUtf8, equalBytes } from '../common/bytes.ts';
import type { ReadTransaction, WriteTransaction } from '../kv/store.ts';
import { metaKey } from '../table/meta-key.ts';

/**
 * Up to which version the documents of a table may be none: those of a release that did not check what
 * it wrote, and what the log or an export held. Readers look at the text of these; a scrub that finds
 * all of them right ends that.
 */
const unchecked = (group: number): Uint8Array => metaKey('unchecked', group);

/** There once the documents of earlier releases are known as unchecked. */
const knownKey = encodeUtf8('unchecked-known');

export function readUnchecked(view: ReadTransaction, group: number): number {
  const bytes = view.peek('meta', unchecked(group));
  return bytes === undefined ? 0 : new ByteReader(bytes).u64();
}

export function writeUnchecked(
  transaction: WriteTransaction,
  group: number,
  version: number,
): void {
  if (version > readUnchecked(transaction, group))
    transaction.put('meta', unchecked(group), new ByteWriter(16).u64(version).finish());
}

/** For each group, the last version that it may have so far. */
export function markUnchecked(
  transaction: WriteTransaction,
  versions: Iterable<readonly [group: number, version: number]>,
): void {
  for (const [group, version] of versions) writeUnchecked(transaction, group, version);
  transaction.put('meta', knownKey, Uint8Array.of(1));
}

/** Of a store that holds nothing else. */
export const isUncheckedMark = (key: Uint8Array): boolean => equalBytes(key, knownKey);

export const areUncheckedKnown = (view: ReadTransaction): boolean =>
  view.peek('meta', knownKey) !== undefined;

/** What the groups of a node compare the versions of documents with. */
export class UncheckedVersions {
  readonly #versions = new Map<number, { version: number }>();

  /** The same object for a group, as long as it lives. */
  of(group: number): { version: number } {
    const known = this.#versions.get(group) ?? { version: 0 };
    this.#versions.set(group, known);
    return known;
  }

  raise(group: number, version: number): void {
    const known = this.of(group);
    known.version = Math.max(known.version, version);
  }

  /** All documents up to this version were checked. */
  cleared(transaction: WriteTransaction, group: number, version: number): void {
    const known = this.of(group);
    if (known.version > version) return;
    transaction.remove('meta', unchecked(group));
    known.version = 0;
  }

  forget(group: number): void {
    this.#versions.delete(group);
  }
}
