import { createEditEngine } from '../../query/edit-engine.ts';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../../common/assert.ts';
import type { Database } from '../../database/database.ts';
import type { Catalog } from '../../query/environment.ts';
import { withSystemDatabase } from '../../query/system-database.ts';
import type { WorkerEnd } from '../../workers/query-worker.ts';
import { RemoteFailure } from '../../workers/errors.ts';
import { memoryDirectory } from '../../workers/nameless-file.ts';
import { Supervisor } from '../../workers/supervisor.ts';
import type { NodeContext } from '../context.ts';
import type { DriverServiceParts } from '../driver-service.ts';
import type { Drivers } from '../drivers.ts';
import { createEnvironment } from '../environment.ts';
import { guardedEnvironment, requireServing } from '../guarded-environment.ts';
import { infoOf } from '../served-table.ts';
import type { Service } from '../services.ts';
import { loginsOf } from '../users.ts';
import { bindPort } from './bound-port.ts';
import type { BoundPort } from './bound-port.ts';
import { DirectCrashes } from './direct-crashes.ts';
import type { DirectCounts } from './direct-reads.ts';
import { CatalogFeed } from './catalog-feed.ts';
import { CoreLogins } from './core-logins.ts';
import { ConnectionPlaces, CoreService } from './core-service.ts';
import { errorOf, failureOf, isFault } from './failures.ts';
import { FlightRecorder } from './flight-recorder.ts';
import { channelLimits, startMsMax, watchLimits } from './limits.ts';
import { queryOptionsOf } from './sizing.ts';
import { besideRecord, layoutOf } from './table-layout.ts';
import type { WorkerSizes } from './sizing.ts';
import type { Welcome } from './worker-node.ts';
import { WorkerPool } from './worker-pool.ts';

/** The port for drivers, served by query workers: processes beside this one, which has the data. */
const mebibyte = 1_048_576;
/** Progress and failures of index builds, and damage, are no change of the metadata. */
/** In the data directory: what the runtime compiles when a worker starts, so that the next one starts sooner. */
const codeCacheName = 'code-cache';
const publishPeriodMs = 1_000;

/** Asked for each write: the metadata of this node says it without what a catalogue knows of a table. */
const isOfUsers =
  (database: Pick<Database, 'state'>, catalog: Pick<Catalog, 'tableById'>) =>
  (table: string): boolean =>
    Object.hasOwn(database.state.tables, table) || catalog.tableById(table) !== undefined;

export class WorkerDriverService implements Service {
  readonly name = 'drivers';
  readonly drivers: Drivers;
  readonly #context: NodeContext;
  readonly #parts: DriverServiceParts;
  readonly #sizes: WorkerSizes;
  readonly #pool: WorkerPool;
  readonly #crashes: DirectCrashes;
  #port: BoundPort | undefined;
  #supervisor: Supervisor | undefined;
  #feed: CatalogFeed | undefined;

  constructor(context: NodeContext, parts: DriverServiceParts, sizes: WorkerSizes) {
    this.#context = context;
    this.#parts = parts;
    this.#sizes = sizes;
    this.#crashes = new DirectCrashes(context.clock);
    this.#pool = new WorkerPool({
      workers: () => this.#supervisor?.workers ?? [],
      replaced: () => this.#supervisor?.replaced ?? 0,
      port: () => this.#port?.port,
      now: () => context.clock.now(),
      within: (ms) => {
        const abort = new AbortController();
        context.clock.timer(ms, () => abort.abort(new Error('the worker does not answer in time')));
        return abort.signal;
      },
    });
    this.drivers = this.#pool;
  }

  get address(): string {
    return this.#port?.address ?? '';
  }

  async start(): Promise<void> {
    const { config, clock, signal } = this.#context;
    const database = this.#parts.data.opened;
    this.#feed = new CatalogFeed({
      state: () => database.state,
      info: (table) => infoOf(database, table),
      beside: (table) => besideRecord(database, table, true),
      layout: (table, info) => layoutOf(database, table, info),
    });
    this.#port = await bindPort({ host: config.bind, port: config['driver-port'] }, clock, signal);
    this.#supervisor = this.#createSupervisor(this.#port);
    try {
      await this.#supervisor.start();
    } catch (error) {
      throw error instanceof RemoteFailure ? errorOf(error.failure) : error;
    }
    void this.#publishAlways();
  }

  async drain(deadline: AbortSignal): Promise<void> {
    this.#supervisor?.drain();
    const workers = this.#supervisor?.workers ?? [];
    await Promise.allSettled(workers.map((worker) => worker.channel.request(['drain'], deadline)));
  }

  async stop(): Promise<void> {
    await this.#supervisor?.stop();
    this.#port?.socket.close();
  }

  #createSupervisor(port: BoundPort): Supervisor {
    const { config, clock, chance, shares, logger } = this.#context;
    const { data, disk, passwords, logins, report, peers, membership, drain } = this.#parts;
    const database = data.opened;
    const server = { id: data.id ?? '', name: config['node-name'] };
    const own = createEnvironment({
      database,
      disk,
      clock,
      chance,
      server,
      report: report(),
      cluster: data.replication === undefined ? undefined : membership,
    });
    const refusal = (): string | undefined => membership.refusal;
    const inner = guardedEnvironment(peers.environment(own), refusal);
    const environment = withSystemDatabase(inner, createEditEngine());
    const common = {
      tables: environment.table,
      catalog: inner.catalog,
      isOfUsers: isOfUsers(database, inner.catalog),
      check: (table: string) => {
        // System tables say why the others are not served.
        if (inner.catalog.tableById(table) !== undefined) requireServing(refusal);
      },
      logins: new CoreLogins(loginsOf({ database, passwords, logins, chance })),
      logger,
      places: new ConnectionPlaces(shares.driverConnections),
      isDraining: () => drain.isActive,
      publish: () => this.publish(),
      measured: (measured: unknown) => this.#pool.measurements.add(measured),
      read: (counts: DirectCounts) => this.#count(counts),
    };
    const { count, mebibytes, heapMebibytes } = this.#sizes;
    return new Supervisor({
      count,
      entry: fileURLToPath(new URL('main.ts', import.meta.url)),
      args: [join(config['data-dir'], codeCacheName)],
      listenDescriptor: port.socket.fd(),
      heapMebibytesMax: heapMebibytes,
      watch: { ...watchLimits, ownBytesMax: mebibytes * mebibyte },
      limits: channelLimits,
      recorder: () => this.#recorder(),
      descriptors: [data.blocks?.descriptor ?? 'ignore'],
      startMsMax,
      clock,
      chance,
      defer: (flush) => void setImmediate(flush),
      failureOf: (error) => this.#failure(error),
      serviceOf: (worker) => {
        const service = new CoreService({ ...common, worker });
        return {
          serve: (body, request) => service.serve(body, request),
          noticed: (body) => service.noticed(body),
          ended: () => {
            service.ended();
            this.#pool.ended(worker);
            database.releaseReaders();
          },
        };
      },
      welcome: () => this.#welcome(server),
      question: ['how'],
      reported: (worker, answer) => this.#pool.report(worker, answer),
      served: (worker, isFirst) =>
        logger.info(isFirst ? 'a query worker serves' : 'a query worker was replaced', {
          pid: worker.pid,
        }),
      lost: (end) => this.#lost(end),
    });
  }

  #recorder(): FlightRecorder | undefined {
    const { config, chance, logger } = this.#context;
    try {
      return new FlightRecorder([memoryDirectory, config['data-dir']], `photondb-${chance.uuid()}`);
    } catch (error) {
      logger.warn('the last queries of a query worker are not recorded', {
        reason: (error as Error).message,
      });
      return undefined;
    }
  }

  #welcome(server: Welcome['server']): unknown {
    const { config, shares } = this.#context;
    const { data } = this.#parts;
    assert(this.#feed !== undefined, 'workers come after the data');
    const welcome: Welcome = {
      server,
      connectionsMax: shares.driverConnections,
      isTraced: config['log-level'] === 'debug',
      options: queryOptionsOf(config, this.#sizes),
      catalog: this.#feed.whole(),
      directReads:
        data.blocks === undefined || this.#crashes.areTooMany
          ? undefined
          : { directory: data.storeDirectory, corePid: process.pid },
    };
    return ['welcome', welcome];
  }

  #count({ documents, forwarded }: DirectCounts): void {
    const database = this.#parts.data.opened;
    for (const [id, count] of documents) database.table(id)?.countReads(count);
    const direct = documents.reduce((sum, [, count]) => sum + count, 0);
    this.#pool.read(direct, forwarded);
  }

  #failure(error: unknown): unknown {
    if (isFault(error) && !this.#context.signal.aborted) {
      this.#context.logger.error('a query failed because of an internal error', {
        error: String((error as Error).stack),
      });
    }
    return failureOf(error);
  }

  #lost({ pid, reason, how, lastWords, lastReport, lastQueries }: WorkerEnd): void {
    this.#ended(how);
    const { longest } = (lastReport ?? {}) as { readonly longest?: unknown };
    this.#context.logger.error('a query worker has ended; its clients lost their connections', {
      pid,
      reason: reason ?? how,
      how,
      running: Array.isArray(longest) ? longest.map(String) : [],
      lastQueries,
      ...(lastWords === '' ? {} : { lastWords }),
    });
  }

  /** A page of the store that is damaged ends the process that looks at it: the core looks only when it must. */
  #ended(how: string): void {
    const { data } = this.#parts;
    if (data.blocks === undefined || !this.#crashes.ended(how)) return;
    data.opened.endDirectReads();
    this.#context.logger.error(
      'query workers crashed and do not read the storage themselves any more; restart the node when the cause is known',
      { how },
    );
  }

  /** Resolves when every worker that serves knows the catalogue, or is gone. */
  async publish(): Promise<void> {
    const change = this.#feed?.changes();
    if (change !== undefined) this.#published = this.#send(change);
    await this.#published;
  }

  #published: Promise<unknown> = Promise.resolve();

  #send(change: unknown): Promise<unknown> {
    const workers = this.#supervisor?.all ?? [];
    const sent = workers.map(async (worker) => {
      const known = worker.channel.request(['catalog', change]);
      // One that does not serve yet knows it before it does.
      if (worker.isServing) await known.catch(() => undefined);
      else known.catch(() => undefined);
    });
    return Promise.all([this.#published, ...sent]);
  }

  async #publishAlways(): Promise<void> {
    const { signal, clock } = this.#context;
    while (!signal.aborted) {
      await this.publish();
      await clock.sleep(publishPeriodMs, signal).catch(() => undefined);
    }
  }
}
