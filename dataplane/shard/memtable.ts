import { nameOfBytes } from '../common/bytes.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { keyInKeyspace } from '../table/envelope.ts';
import { indexEntryKey } from '../table/index-entry.ts';
import { SortedView } from './sorted-view.ts';

/**
 * What the log has and the store has not yet, by key: `proposed` is what later writers build on,
 * `committed` is what every reader sees. An entry leaves when the store has it.
 */
export interface MemtableEntry {
  readonly key: Uint8Array;
  /** Index in the group's log; also the version of the key. */
  readonly index: number;
  /** Canonical text; undefined for a deletion. */
  readonly text: string | undefined;
  /** What the entry costs while it waits. */
  readonly bytes: number;
  /** It was read from the log, and nobody has looked whether the text is a document. */
  readonly isUnchecked?: boolean;
  /** Whether readers see it in place of what the store has. */
  isShown: boolean;
}

/** A document that waits, at its place in an index. */
export interface WaitingIndexEntry {
  readonly entry: MemtableEntry;
  readonly indexKey: Uint8Array;
  /** The key in the store that it will have, without the keyspace. */
  readonly position: Uint8Array;
}

export class Memtable {
  readonly #proposed = new Map<string, MemtableEntry>();
  readonly #committed = new Map<string, MemtableEntry>();
  readonly #documents = new SortedView<MemtableEntry, MemtableEntry>({
    all: () => this.#committed.values(),
    itemsOf: (entry) => [entry],
    keyOf: ({ key }) => key,
    isLive: ({ isShown }) => isShown,
  });
  /** By the keyspace of an index that was read while something waited. */
  readonly #indexes = new Map<number, SortedView<MemtableEntry, WaitingIndexEntry>>();

  propose(name: string, entry: MemtableEntry): void {
    this.#proposed.set(name, entry);
  }

  /** What was proposed counts no more, but for these, in their order. */
  proposeOnly(entries: Iterable<{ readonly name: string; readonly entry: MemtableEntry }>): void {
    this.#proposed.clear();
    for (const { name, entry } of entries) this.#proposed.set(name, entry);
  }

  /** The newest entry that a writer must build on. */
  newest(name: string): MemtableEntry | undefined {
    return this.#proposed.get(name) ?? this.#committed.get(name);
  }

  /** What a reader sees in place of the store. */
  committed(name: string): MemtableEntry | undefined {
    return this.#committed.get(name);
  }

  commit(name: string, entry: MemtableEntry): void {
    this.#hide(name);
    this.#committed.set(name, entry);
    entry.isShown = true;
    this.#documents.add(entry);
    for (const index of this.#indexes.values()) index.add(entry);
    if (this.#proposed.get(name) === entry) this.#proposed.delete(name);
  }

  /** The store has it. */
  applied(name: string, entry: MemtableEntry): void {
    if (this.#committed.get(name) !== entry) return;
    this.#hide(name);
    this.#committed.delete(name);
    if (this.#committed.size > 0) return;
    this.#documents.forget();
    this.#indexes.clear();
  }

  #hide(name: string): void {
    const entry = this.#committed.get(name);
    if (entry !== undefined) entry.isShown = false;
  }

  get size(): number {
    return this.#committed.size;
  }

  /** Whether readers see an entry of this key in place of the store's. */
  covers(key: Uint8Array): boolean {
    return this.#committed.size > 0 && this.#committed.has(nameOfBytes(key));
  }

  /** Committed entries by key, deletions included. */
  get documents(): SortedView<MemtableEntry, MemtableEntry> {
    return this.#documents;
  }

  /** Where committed documents stand in an index. */
  in(index: AppliedIndex): SortedView<MemtableEntry, WaitingIndexEntry> {
    const known = this.#indexes.get(index.keyspace);
    if (known !== undefined) return known;
    const made = new SortedView<MemtableEntry, WaitingIndexEntry>({
      all: () => this.#committed.values(),
      itemsOf: (entry) => placesIn(index, entry),
      keyOf: ({ position }) => position,
      isLive: ({ entry }) => entry.isShown,
    });
    this.#indexes.set(index.keyspace, made);
    return made;
  }
}

function placesIn(index: AppliedIndex, entry: MemtableEntry): WaitingIndexEntry[] {
  const { key, text } = entry;
  if (text === undefined) return [];
  return index.keysOf(text).map((indexKey) => {
    const position = keyInKeyspace(indexEntryKey(index.keyspace, indexKey, key));
    return { entry, indexKey, position };
  });
}
