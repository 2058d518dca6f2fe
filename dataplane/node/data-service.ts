import { assert } from '../common/assert.ts';
import type { Database } from '../database/database.ts';
import { compactAtStart } from './compact-at-start.ts';
import type { NodeContext } from './context.ts';
import type { DirectoryService } from './directory-service.ts';
import { diskUsage } from './disk-usage.ts';
import type { MembershipService } from './membership-service.ts';
import { openData, storeDirectoryOf } from './open-data.ts';
import { NodeReplication } from './routing/node-replication.ts';
import type { Service } from './services.ts';
import { StorageMeasurements } from './storage-measurements.ts';
import { troublesOf } from './troubles.ts';
import { memoryDirectory } from '../workers/nameless-file.ts';
import { UnappliedFile } from '../workers/unapplied-file.ts';
import { settleAdmin } from './users.ts';
import { readFile } from '../membership/cluster-files.ts';
import { hasNoData, requireData } from '../storage/directory.ts';
import { lossOf } from './replacement/loss.ts';
import type { Loss } from './replacement/loss.ts';
import { Replacement } from './replacement/replacement.ts';

/** The database in the data directory: compacted, recovered, and closed at the end. */
const mebibyte = 1_048_576;
/** A node that can serve a part of its data waits for this time to begin again. */
const patienceMs = 30_000;

export class DataService implements Service {
  readonly name = 'data';
  readonly #context: NodeContext;
  readonly #directory: DirectoryService;
  readonly #membership: MembershipService;
  readonly measurements: StorageMeasurements;
  readonly #hasWorkers: boolean;
  #database: Database | undefined;
  #blocks: UnappliedFile | undefined;
  readonly #replicaListeners: (() => void)[] = [];
  #replication: NodeReplication | undefined;

  /** `hasWorkers`: query workers that may read the store themselves. */
  constructor(
    context: NodeContext,
    directory: DirectoryService,
    {
      hasWorkers,
      membership,
    }: { readonly hasWorkers: boolean; readonly membership: MembershipService },
  ) {
    this.#context = context;
    this.#membership = membership;
    this.#directory = directory;
    this.measurements = new StorageMeasurements(() => context.clock.now());
    this.#hasWorkers = hasWorkers;
  }

  /** The identity of the directory; undefined before it is known. */
  get id(): string | undefined {
    return this.#directory.id;
  }

  /** Undefined before it is open and when it is closed: health and metrics are asked for all the time. */
  get database(): Database | undefined {
    return this.#database;
  }

  /** What workers look at before they read the store; undefined when they ask for every row. */
  get blocks(): UnappliedFile | undefined {
    return this.#blocks;
  }

  get storeDirectory(): string {
    return storeDirectoryOf(this.#directory.path);
  }

  /** Undefined for a node that keeps its data alone. */
  get replication(): NodeReplication | undefined {
    return this.#replication;
  }

  /** Called whenever there is another reason why replicas are not what they are to be. Register before the start. */
  onReplicas(listener: () => void): void {
    this.#replicaListeners.push(listener);
  }

  /** For services that start after this one. */
  get opened(): Database {
    assert(this.#database !== undefined, 'the data is open');
    return this.#database;
  }

  async start(): Promise<void> {
    const { logger, progress } = this.#context;
    const { path } = this.#directory;
    const loss = await this.#openWhole(path);
    if (loss !== undefined) await this.#openDespite(loss, path);
    logger.info('the data is open', { path, replayedBytes: progress.replay.doneBytes });
  }

  /** Of a node with other members: what it lacks of what it had acknowledged to them; undefined when it has all. */
  async #openWhole(path: string): Promise<Loss | undefined> {
    const { files, formed } = this.#directory;
    // It may have data once it has been a member.
    const isMember = readFile(files, 'replication') !== undefined && formed.type === 'rejoining';
    try {
      if (isMember) requireData(path);
      await this.#compact(storeDirectoryOf(path));
      await this.#open(path, isMember);
    } catch (error) {
      const loss = isMember ? lossOf(error) : undefined;
      if (loss === undefined) throw error;
      return loss;
    }
    const [lost] = this.opened.replicatedGroups.flatMap(({ mustRejoin }) => mustRejoin ?? []);
    if (lost === undefined) return undefined;
    return { reason: lost.message, error: undefined, isPartial: true };
  }

  async #openDespite({ reason, error, isPartial }: Loss, path: string): Promise<void> {
    const parts = {
      context: this.#context,
      directory: this.#directory,
      membership: this.#membership,
    };
    const result = await new Replacement(parts).begin({
      reason,
      patienceMs: isPartial ? patienceMs : undefined,
      close: () => this.stop(),
    });
    if (error === undefined && result !== 'replaced') return;
    // Without other members nobody counts on what it had acknowledged, and opening says what is missing.
    const isEntitled = result === 'replaced' || result === 'alone';
    if (!isEntitled && !isPartial && !hasNoData(path)) throw error ?? new Error(reason);
    await this.#open(path, false);
  }

  async stop(): Promise<void> {
    const database = this.#database;
    // Health and metrics are asked for until the end, and there is nothing to read from now on.
    this.#database = undefined;
    await database?.stop();
    this.#blocks?.close();
    this.#blocks = undefined;
  }

  async #open(path: string, requiresWholeLog: boolean): Promise<void> {
    const { config, password, logger, progress, clock, chance, signal, fail } = this.#context;
    progress.step('replaying the log');
    this.#blocks?.close();
    this.#blocks = this.#hasWorkers ? this.#createBlocks(path) : undefined;
    const replication = NodeReplication.open({
      context: this.#context,
      directory: this.#directory,
      membership: this.#membership,
    });
    this.#replication = replication;
    const database = await openData({
      ...replication?.options,
      requiresWholeLog,
      blocks: this.#blocks,
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
    replication?.attach(database);
    for (const listener of this.#replicaListeners) replication?.onChange(listener);
    if (replication !== undefined) return this.#begin(replication);
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

  /** Passwords, and what changes them: on whichever node that is done. */
  get users(): Pick<Database, 'verifier' | 'change'> {
    const database = this.opened;
    const { replication } = this;
    return {
      verifier: (user) => database.verifier(user),
      change: (command) => replication?.change(command) ?? database.change(command),
    };
  }

  /** The founder makes itself the first member; the others receive the metadata from the members. */
  async #begin(replication: NodeReplication): Promise<void> {
    const { config, password, chance } = this.#context;
    const database = this.opened;
    if (!replication.isFounder || database.state.members !== undefined) return;
    const { node } = replication;
    const member = { id: node, name: config['node-name'], roles: config.roles };
    await replication.change({ type: 'putMember', format: 3, member });
    const isFresh = Object.keys(database.state.users).length === 0;
    await settleAdmin(this.users, password, chance);
    if (isFresh)
      await replication.change({ type: 'createDatabase', id: chance.uuid(), name: 'test' });
  }

  #createBlocks(path: string): UnappliedFile | undefined {
    const { chance, logger } = this.#context;
    try {
      return new UnappliedFile([memoryDirectory, path], `photondb-${chance.uuid()}`);
    } catch (error) {
      logger.warn('query workers ask the core for every row', { reason: (error as Error).message });
      return undefined;
    }
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
