import { compareBytes, copyBytes } from '../common/bytes.ts';
import { databaseNames } from './store.ts';
import type {
  DatabaseName,
  Entry,
  KeyRange,
  ReadTransaction,
  Snapshot,
  Store,
  StoreStatistics,
  Visit,
  WriteTransaction,
} from './store.ts';

/** A sorted table of entries; copied as a whole when a view of it must stay as it is. */
class SortedTable {
  readonly #entries: Entry[];

  constructor(entries: readonly Entry[] = []) {
    this.#entries = [...entries];
  }

  copy(): SortedTable {
    return new SortedTable(this.#entries);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const at = this.#position(key);
    const entry = this.#entries[at];
    return entry !== undefined && compareBytes(entry.key, key) === 0 ? entry.value : undefined;
  }

  set(key: Uint8Array, value: Uint8Array | undefined): boolean {
    const at = this.#position(key);
    const entry = this.#entries[at];
    const there = entry !== undefined && compareBytes(entry.key, key) === 0;
    const added = value === undefined ? [] : [{ key: copyBytes(key), value: copyBytes(value) }];
    this.#entries.splice(at, there ? 1 : 0, ...added);
    return there;
  }

  slice(range: KeyRange): Entry[] {
    const from = range.start === undefined ? 0 : this.#position(range.start);
    const to = range.end === undefined ? this.#entries.length : this.#position(range.end);
    const found = this.#entries.slice(from, Math.max(from, to));
    if (range.reverse === true) found.reverse();
    return found.slice(0, range.limit ?? found.length);
  }

  /** Where `key` is or would stand. */
  #position(key: Uint8Array): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && compareBytes(entry.key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const spoiled = 0xa5;

type Tables = Record<DatabaseName, SortedTable>;

function tablesBy(make: (name: DatabaseName) => SortedTable): Tables {
  return Object.fromEntries(databaseNames.map((name) => [name, make(name)])) as Tables;
}

const owned = (entry: Entry): Entry => ({
  key: copyBytes(entry.key),
  value: copyBytes(entry.value),
});

class View implements WriteTransaction {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  get(database: DatabaseName, key: Uint8Array): Uint8Array | undefined {
    const value = this.#tables[database].get(key);
    return value === undefined ? undefined : copyBytes(value);
  }

  peek(database: DatabaseName, key: Uint8Array): Uint8Array | undefined {
    return this.get(database, key);
  }

  entries(database: DatabaseName, range: KeyRange): Iterable<Entry> {
    return this.#tables[database].slice(range).map(owned);
  }

  /** What was lent is overwritten, so that code that keeps it fails. */
  walk(database: DatabaseName, range: KeyRange, visit: Visit): void {
    for (const { key, value } of this.entries(database, range)) {
      const goesOn = visit(key, value);
      key.fill(spoiled);
      value.fill(spoiled);
      if (!goesOn) return;
    }
  }

  put(database: DatabaseName, key: Uint8Array, value: Uint8Array): void {
    this.#tables[database].set(key, value);
  }

  remove(database: DatabaseName, key: Uint8Array): boolean {
    return this.#tables[database].set(key, undefined);
  }
}

/** The contract in memory, for tests and for tools. Nothing is ever on a medium. */
export class MemoryStore implements Store {
  #tables = tablesBy(() => new SortedTable());
  #last: Promise<unknown> = Promise.resolve();

  read<T>(body: (transaction: ReadTransaction) => T): T {
    return body(new View(this.#tables));
  }

  snapshot(): Snapshot {
    const view = new View(tablesBy((name) => this.#tables[name].copy()));
    return {
      expired: false,
      get: (database, key) => view.get(database, key),
      peek: (database, key) => view.get(database, key),
      entries: (database, range) => view.entries(database, range),
      walk: (database, range, visit) => view.walk(database, range, visit),
      [Symbol.dispose]: () => undefined,
    };
  }

  write<T>(body: (transaction: WriteTransaction) => T): Promise<T> {
    const result = this.#last.then(() => {
      const next = tablesBy((name) => this.#tables[name].copy());
      const answer = body(new View(next));
      this.#tables = next;
      return answer;
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  async flushed(): Promise<void> {
    await this.#last;
  }

  /** Nothing is on a medium. */
  statistics(): StoreStatistics {
    return { fileBytes: 0, usedBytes: 0, freeBytes: 0, fileBytesMax: 0, oldestReaderMs: 0 };
  }

  async close(): Promise<void> {
    await this.#last;
  }
}
