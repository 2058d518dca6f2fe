/**
 * The embedded stores that the storage is compared with. Each keeps the same two keys for a document
 * (its own, and one of a secondary index), and gathers what one turn of the event loop brings into
 * one durable transaction.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ClassicLevel } from 'classic-level';

export interface Pair {
  readonly key: string;
  readonly indexKey: string;
  readonly text: string;
}

export interface Peer {
  readonly name: string;
  /** Resolves when it is on the medium. */
  write(pair: Pair): Promise<void>;
  get(key: string): string | undefined;
  /** Visits the text of every document in the order of the keys; answers how many there were. */
  scan(): Promise<number>;
  close(): Promise<void>;
}

/** Hands everything of one turn to `commit`, and lets the writers wait for it; one commit at a time. */
class TurnGatherer {
  readonly #commit: (pairs: readonly Pair[]) => Promise<void> | void;
  #waiting: { readonly pair: Pair; readonly done: PromiseWithResolvers<void> }[] = [];
  #isRunning = false;

  constructor(commit: (pairs: readonly Pair[]) => Promise<void> | void) {
    this.#commit = commit;
  }

  add(pair: Pair): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ pair, done });
    if (!this.#isRunning) {
      this.#isRunning = true;
      setImmediate(() => void this.#run());
    }
    return done.promise;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      await this.#commit(batch.map(({ pair }) => pair));
      for (const { done } of batch) done.resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isRunning = false;
  }
}

export function openSqlite(directory: string): Peer {
  const database = new DatabaseSync(join(directory, 'peer.sqlite'));
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
    CREATE TABLE documents (key TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID;
    CREATE TABLE entries (key TEXT PRIMARY KEY) WITHOUT ROWID`);
  const put = database.prepare('INSERT OR REPLACE INTO documents VALUES (?, ?)');
  const putEntry = database.prepare('INSERT OR REPLACE INTO entries VALUES (?)');
  const select = database.prepare('SELECT text FROM documents WHERE key = ?');
  const all = database.prepare('SELECT text FROM documents ORDER BY key');
  const gatherer = new TurnGatherer((pairs) => {
    database.exec('BEGIN');
    for (const { key, indexKey, text } of pairs) {
      put.run(key, text);
      putEntry.run(indexKey);
    }
    database.exec('COMMIT');
  });
  return {
    name: 'node:sqlite, WAL, synchronous=FULL',
    write: (pair) => gatherer.add(pair),
    get: (key) => (select.get(key) as { text: string } | undefined)?.text,
    async scan() {
      let count = 0;
      for (const row of all.iterate()) if (typeof row['text'] === 'string') count += 1;
      return count;
    },
    async close() {
      database.close();
    },
  };
}

export async function openLevel(directory: string): Promise<Peer> {
  const database = new ClassicLevel(join(directory, 'peer.level'), {
    cacheSize: 64 * 1_048_576,
  });
  await database.open();
  const gatherer = new TurnGatherer((pairs) =>
    database.batch(
      pairs.flatMap(({ key, indexKey, text }) => [
        { type: 'put' as const, key: `d${key}`, value: text },
        { type: 'put' as const, key: `i${indexKey}`, value: '' },
      ]),
      { sync: true },
    ),
  );
  return {
    name: 'classic-level, sync',
    write: (pair) => gatherer.add(pair),
    get: (key) => database.getSync(`d${key}`),
    async scan() {
      const iterator = database.values({ gte: 'd', lt: 'e' });
      let count = 0;
      for (;;) {
        const texts = await iterator.nextv(1_000);
        if (texts.length === 0) break;
        count += texts.length;
      }
      await iterator.close();
      return count;
    },
    close: () => database.close(),
  };
}
