import { createHash } from 'node:crypto';
import { documentProblem } from '../../../dataplane/datum/document.ts';
import { Database } from '../../../dataplane/database/database.ts';
import type { MemoryDisk } from '../../../dataplane/disk/memory-disk.ts';
import type { MemoryStore } from '../../../dataplane/kv/memory-store.ts';
import { databaseNames } from '../../../dataplane/kv/store.ts';
import { Prng } from '../../../dataplane/common/prng.ts';
import { Expiry } from '../../../dataplane/maintenance/expiry.ts';
import { createEnvironment } from '../../../dataplane/node/environment.ts';
import { createQueryEngine } from '../../../dataplane/query/create-engine.ts';
import { createEditEngine } from '../../../dataplane/query/edit-engine.ts';
import type { QueryEngine } from '../../../dataplane/query/engine.ts';
import { compileIndex } from '../../../dataplane/query/index-function.ts';
import { MemoryReport } from '../../../dataplane/query/testing/memory-report.ts';
import { wholeAnswer } from '../../../dataplane/query/testing/run.ts';
import { openWal } from '../../../dataplane/wal/open-wal.ts';
import type { VirtualClock } from '../virtual-clock.ts';

/** Where a simulated node keeps its data; it outlives the node. */
export interface Medium {
  readonly store: MemoryStore;
  readonly disk: MemoryDisk;
}

const directory = '/data/wal';
const mebibyte = 1_048_576;
const hourMs = 3_600_000;

/** The data of a node under virtual time: log, store, query engine, document TTL and scrub, as a node has them. */
export class DataOfNode {
  readonly clock: VirtualClock;
  readonly expiry: Expiry;
  readonly #database: Database;
  readonly #engine: QueryEngine;
  readonly #stopping = new AbortController();
  readonly #background: readonly Promise<unknown>[];
  /** Passes of the scrub, each with the moment of its end and what it found. */
  readonly scrubs: string[] = [];

  private constructor(database: Database, clock: VirtualClock, chance: Prng) {
    this.clock = clock;
    this.#database = database;
    const server = { id: chance.uuid(), name: 'simulated' };
    const disk = { refusal: () => undefined };
    const report = new MemoryReport();
    this.#engine = createQueryEngine(
      createEnvironment({ database, disk, clock, chance, server, report }),
    );
    this.expiry = new Expiry({
      tables: () => database.expiringTables(),
      isRefused: () => false,
      clock,
      delayed: (_table, error) => {
        throw error;
      },
    });
    const scrubbing = database.scrubAlways({
      intervalMs: hourMs,
      passed: (found) => this.scrubs.push(`${clock.now()}: ${found.length}`),
    });
    this.#background = [this.expiry.run(this.#stopping.signal), scrubbing].map((work) =>
      work.catch(() => undefined),
    );
  }

  static async open({ store, disk }: Medium, clock: VirtualClock, seed: number) {
    const chance = new Prng(seed);
    const { signal } = new AbortController();
    const database = await Database.open({
      store,
      clock,
      openLog: ({ isFirst: _isFirst, ...replay }) =>
        openWal({
          ...replay,
          disk,
          directory,
          clock,
          segmentBytes: 16384,
          random: () => chance.next(),
        }),
      documents: { problemOf: documentProblem },
      edits: createEditEngine(),
      compileIndex,
      memtableBytesMax: mebibyte,
      cacheBytesMax: mebibyte,
      onProgress: () => undefined,
      signal,
    });
    return new DataOfNode(database, clock, chance);
  }

  /** The whole answer of a query, or the sentence of its error. */
  async run(term: unknown): Promise<unknown> {
    const { signal } = this.#stopping;
    try {
      const outcome = await this.#engine.run(term, {}, { user: 'admin', signal });
      return await wholeAnswer(outcome, signal);
    } catch (error) {
      return (error as Error).message;
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the node is stopping'));
    await this.#database.stop();
    await Promise.all(this.#background);
  }
}

/** One hash over every byte of the store and of the log. */
export async function fingerprint({ store, disk }: Medium): Promise<string> {
  const hash = createHash('sha256');
  store.read((view) => {
    for (const name of databaseNames) {
      for (const { key, value } of view.entries(name, {}))
        hash.update(name).update(key).update(value);
    }
  });
  for (const name of [...(await disk.list(directory))].sort())
    hash.update(name).update(disk.bytesOf(`${directory}/${name}`));
  return hash.digest('hex');
}
