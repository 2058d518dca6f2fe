import { compareBytes, nameOfBytes } from '../common/bytes.ts';
import { databaseNames } from '../kv/store.ts';
import type {
  DatabaseName,
  Entry,
  KeyRange,
  ReadTransaction,
  Visit,
  WriteTransaction,
} from '../kv/store.ts';

interface Change extends Entry {
  readonly removed: boolean;
}

type Changes = Map<string, Change>;

/** What a key's change was before it was overwritten here. */
interface Undo {
  readonly changes: Changes;
  readonly name: string;
  readonly before: Change | undefined;
}

/**
 * The writes of a transaction that are not yet in the store, over a view of it: a transaction sees
 * its own writes, and a body that throws leaves no trace.
 */
export class WriteBuffer implements WriteTransaction {
  readonly #base: ReadTransaction;
  readonly #changes: Record<DatabaseName, Changes>;
  readonly #undo: Undo[] = [];

  constructor(base: ReadTransaction) {
    this.#base = base;
    this.#changes = Object.fromEntries(
      databaseNames.map((name): [DatabaseName, Changes] => [name, new Map()]),
    ) as Record<DatabaseName, Changes>;
  }

  /** Changes, each key counted once. */
  get size(): number {
    return databaseNames.reduce((sum, name) => sum + this.#changes[name].size, 0);
  }

  /** Runs `body`; when it throws, what it wrote is taken back. */
  attempt(body: () => void): void {
    this.#undo.length = 0;
    try {
      body();
    } catch (error) {
      for (const { changes, name, before } of this.#undo.reverse()) {
        if (before === undefined) changes.delete(name);
        else changes.set(name, before);
      }
      throw error;
    } finally {
      this.#undo.length = 0;
    }
  }

  get(database: DatabaseName, key: Uint8Array): Uint8Array | undefined {
    const change = this.#changes[database].get(nameOfBytes(key));
    if (change === undefined) return this.#base.get(database, key);
    return change.removed ? undefined : new Uint8Array(change.value);
  }

  peek(database: DatabaseName, key: Uint8Array): Uint8Array | undefined {
    const change = this.#changes[database].get(nameOfBytes(key));
    if (change === undefined) return this.#base.peek(database, key);
    return change.removed ? undefined : change.value;
  }

  walk(database: DatabaseName, range: KeyRange, visit: Visit): void {
    for (const { key, value } of this.entries(database, range)) if (!visit(key, value)) return;
  }

  put(database: DatabaseName, key: Uint8Array, value: Uint8Array): void {
    this.#set(database, { key, value, removed: false });
  }

  remove(database: DatabaseName, key: Uint8Array): boolean {
    const there = this.peek(database, key) !== undefined;
    this.#set(database, { key, value: key, removed: true });
    return there;
  }

  *entries(database: DatabaseName, range: KeyRange): Iterable<Entry> {
    const { limit = Number.POSITIVE_INFINITY, ...unlimited } = range;
    let answered = 0;
    if (answered >= limit) return;
    for (const entry of this.#merged(database, unlimited)) {
      yield entry;
      answered += 1;
      if (answered >= limit) return;
    }
  }

  /** Hands every change to the store below. */
  replay(
    put: (database: DatabaseName, key: Uint8Array, value: Uint8Array) => void,
    remove: (database: DatabaseName, key: Uint8Array) => void,
  ): void {
    for (const name of databaseNames) {
      for (const change of this.#changes[name].values()) {
        if (change.removed) remove(name, change.key);
        else put(name, change.key, change.value);
      }
    }
  }

  #set(database: DatabaseName, change: Change): void {
    const changes = this.#changes[database];
    const name = nameOfBytes(change.key);
    this.#undo.push({ changes, name, before: changes.get(name) });
    changes.set(name, change);
  }

  /** The base's entries with this buffer's changes between them. */
  *#merged(database: DatabaseName, range: KeyRange): Iterable<Entry> {
    const changes = this.#changesIn(database, range);
    const sign = range.reverse === true ? -1 : 1;
    let next = 0;
    for (const entry of this.#base.entries(database, range)) {
      for (; next < changes.length; next += 1) {
        const change = changes[next];
        if (change === undefined || sign * compareBytes(change.key, entry.key) >= 0) break;
        if (!change.removed) yield { key: change.key, value: change.value };
      }
      if (!this.#changes[database].has(nameOfBytes(entry.key))) yield entry;
    }
    for (const change of changes.slice(next)) {
      if (!change.removed) yield { key: change.key, value: change.value };
    }
  }

  #changesIn(database: DatabaseName, { start, end, reverse }: KeyRange): Change[] {
    const inside = [...this.#changes[database].values()].filter(
      ({ key }) =>
        (start === undefined || compareBytes(key, start) >= 0) &&
        (end === undefined || compareBytes(key, end) < 0),
    );
    inside.sort((a, b) => compareBytes(a.key, b.key));
    return reverse === true ? inside.reverse() : inside;
  }
}
