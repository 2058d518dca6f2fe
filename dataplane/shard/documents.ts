import { nameOfBytes, toHex } from '../common/bytes.ts';
import type { ApplyStore } from '../kv/store.ts';
import { decodeDocument, keyInKeyspace, keyspaceKey } from '../table/envelope.ts';
import type { StoredDocument } from '../table/envelope.ts';
import { StorageCorruptError } from '../table/errors.ts';
import type { Row } from '../wire/table-access.ts';
import type { GroupDocuments } from './document-cache.ts';
import type { Memtable, MemtableEntry } from './memtable.ts';

export interface ShardDocumentsOptions {
  /** Of the rows. */
  readonly keyspace: number;
  /** `database.table`, for sentences. */
  readonly name: string;
  readonly store: ApplyStore;
  /** Documents that were read by their key. */
  readonly cache: GroupDocuments;
  /** Documents of versions up to this one were never checked. */
  readonly unchecked: { readonly version: number };
  /** Why stored text is no document of its key, as the end of a sentence; undefined for one. */
  problemOf(text: string, key: Uint8Array): string | undefined;
  /** Called with every damaged value that somebody reads. */
  damaged(error: StorageCorruptError): void;
}

/** The newest document of a key. */
export interface Current {
  readonly version: number;
  readonly text: string | undefined;
  /** There is a document, and nobody can read it. */
  readonly damage?: StorageCorruptError;
}

const noDocument: Current = { version: 0, text: undefined };

/**
 * The documents of a shard by their keys: in the memtable, in the cache, or in the store. Guarded invariant: a
 * damaged value is reported and never answered.
 */
export class ShardDocuments {
  readonly #options: ShardDocumentsOptions;
  readonly #memtable: Memtable;

  constructor(options: ShardDocumentsOptions, memtable: Memtable) {
    this.#options = options;
    this.#memtable = memtable;
  }

  /** What readers see. */
  get(key: Uint8Array): Row | undefined {
    const name = nameOfBytes(key);
    const { text } = this.read(key, name, this.#memtable.committed(name));
    return text === undefined ? undefined : { key, text };
  }

  /** The document of a key: `entry` of the memtable when there is one, else what the store has. */
  read(key: Uint8Array, name: string, entry: MemtableEntry | undefined): Current {
    if (entry !== undefined) {
      const text = this.textOfEntry(entry);
      return { version: text === undefined ? 0 : entry.index, text };
    }
    return this.#options.cache.get(name) ?? this.#readStore(key, name) ?? noDocument;
  }

  #readStore(key: Uint8Array, name: string): StoredDocument | undefined {
    const { keyspace, cache, store } = this.#options;
    const storedKey = keyspaceKey(keyspace, key);
    return store.read((view) => {
      const value = view.peek('data', storedKey);
      if (value === undefined) return undefined;
      const document = this.#decode(storedKey, value);
      cache.keep(name, document);
      return document;
    });
  }

  /** The document of a stored value. */
  textOf(storedKey: Uint8Array, value: Uint8Array): string {
    return this.#decode(storedKey, value).text;
  }

  /** The document that waits for the store. */
  textOfEntry({ key, text, isUnchecked }: MemtableEntry): string | undefined {
    if (isUnchecked === true && text !== undefined) this.#requireDocument(text, key);
    return text;
  }

  #decode(storedKey: Uint8Array, value: Uint8Array): StoredDocument {
    let document: StoredDocument;
    try {
      document = decodeDocument(storedKey, value);
    } catch (error) {
      throw error instanceof StorageCorruptError ? this.#reported(error) : error;
    }
    if (document.version <= this.#options.unchecked.version) {
      this.#requireDocument(document.text, keyInKeyspace(storedKey));
    }
    return document;
  }

  #requireDocument(text: string, key: Uint8Array): void {
    const problem = this.#options.problemOf(text, key);
    if (problem === undefined) return;
    const place = { keyspace: this.#options.keyspace, keyHex: toHex(key) };
    throw this.#reported(
      new StorageCorruptError(place, `its text is no document (${problem.replace(/[.]$/, '')})`),
    );
  }

  #reported(error: StorageCorruptError): StorageCorruptError {
    const named = error.inTable(this.#options.name);
    this.#options.damaged(named);
    return named;
  }
}
