import { assert } from '../common/assert.ts';
import type { Database } from '../database/database.ts';
import { compactAtStart } from './compact-at-start.ts';
import type { NodeContext } from './context.ts';
import type { DirectoryService } from './directory-service.ts';
import { diskUsage } from './disk-usage.ts';
import { openData, storeDirectoryOf } from './open-data.ts';
import type { Service } from './services.ts';
import { StorageMeasurements } from './storage-measurements.ts';
import { troublesOf } from './troubles.ts';
import { settleAdmin } from './users.ts';

/** The database in the data directory: compacted, recovered, and closed at the end. */
const mebibyte = 1_048_576;

export class DataService implements Service {
  readonly name = 'data';
  readonly #context: NodeContext;
  readonly #directory: Pick<DirectoryService, 'id' | 'path'>;
  readonly measurements: StorageMeasurements;
  #database: Database | undefined;

  constructor(context: NodeContext, directory: Pick<DirectoryService, 'id' | 'path'>) {
    this.#context = context;
    this.#directory = directory;
    this.measurements = new StorageMeasurements(() => context.clock.now());
  }

  /** The identity of the directory; undefined before it is known. */
  get id(): string | undefined {
    return this.#directory.id;
  }

  /** Undefined before it is open and when it is closed: health and metrics are asked for all the time. */
  get database(): Database | undefined {
    return this.#database;
  }

  /** For services that start after this one. */
  get opened(): Database {
    assert(this.#database !== undefined, 'the data is open');
    return this.#database;
  }

  async start(): Promise<void> {
    const { logger, progress } = this.#context;
    const { path } = this.#directory;
    await this.#compact(storeDirectoryOf(path));
    await this.#open(path);
    logger.info('the data is open', { path, replayedBytes: progress.replay.doneBytes });
  }

  async stop(): Promise<void> {
    const database = this.#database;
    // Health and metrics are asked for until the end, and there is nothing to read from now on.
    this.#database = undefined;
    await database?.stop();
  }

  async #open(path: string): Promise<void> {
    const { config, password, logger, progress, clock, chance, signal, fail } = this.#context;
    progress.step('replaying the log');
    const database = await openData({
      path,
      clock,
      chance,
      logger,
      memtableBytesMax: config['memtable-mib'] * mebibyte,
      cacheBytesMax: config['cache-mib'] * mebibyte,
      onProgress: (doneBytes, totalBytes) => progress.moved(doneBytes, totalBytes),
      measurements: this.measurements,
      signal,
    });
    this.#database = database;
    void database.failed.then(fail);
    const isFresh = Object.keys(database.state.users).length === 0;
    const { frozen } = database;
    if (frozen === undefined) await settleAdmin(database, password, chance);
    else logger.error('the metadata cannot be changed', { error: frozen.message });
    for (const { type, description } of troublesOf(database)) {
      logger.error('data is damaged; everything else is served', { type, description });
    }
    if (isFresh && frozen === undefined)
      await database.change({ type: 'createDatabase', id: chance.uuid(), name: 'test' });
  }

  async #compact(store: string): Promise<void> {
    const { config, logger, progress, clock, signal } = this.#context;
    progress.step('compacting the data file');
    await compactAtStart({
      directory: store,
      clock,
      percent: config['compact-at-start-percent'],
      usage: () => diskUsage(config['data-dir']),
      logger,
      onProgress: ({ doneBytes, totalBytes }) => progress.moved(doneBytes, totalBytes),
      signal,
    });
    progress.moved(0, 0);
  }
}
