import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:net';
import { assert } from '../common/assert.ts';
import type { Config } from '../config/config.ts';
import { noCounts } from '../driver-protocol/counters.ts';
import { DriverServer } from '../driver-protocol/driver-server.ts';
import { protocolLimits } from '../driver-protocol/limits.ts';
import { healthServer } from '../http/health.ts';
import type { NodeHealth } from '../http/health.ts';
import { webServer } from '../http/web.ts';
import type { WebStatus } from '../http/web.ts';
import { StatusWriter } from '../kubernetes/node-status.ts';
import type { Logger } from '../observability/logger.ts';
import { LogHistory } from '../observability/log-history.ts';
import { nodeMetrics } from '../observability/metrics.ts';
import type { NodeMetrics } from '../observability/metrics.ts';
import { createQueryEngine } from '../query/create-engine.ts';
import type { NodeReport } from '../query/node-report.ts';
import { userIndexes } from '../metadata/state.ts';
import type { Database } from '../replication/database.ts';
import type { ScrubPlan } from '../replication/scrubber.ts';
import { Expiry } from '../replication/expiry.ts';
import { LoginGuard } from '../security/login-guard.ts';
import { openDirectory } from '../storage/directory.ts';
import type { DataDirectory } from '../storage/directory.ts';
import { machineClock } from './clock.ts';
import { compactAtStart } from './compact-at-start.ts';
import { DiskGate } from './disk-gate.ts';
import { diskUsage } from './disk-usage.ts';
import { createEnvironment } from './environment.ts';
import { listen } from './listen.ts';
import { nodeReport } from './report.ts';
import { openData, storeDirectoryOf } from './open-data.ts';
import { credentialsOf, settleAdmin, webLogin } from './users.ts';

/** A node: the parts joined, in the order in which they can be used. */
export interface NodeOptions {
  readonly config: Config;
  readonly password: string;
  readonly version: string;
  readonly logger: Logger;
  /** Where the API server is, when the node runs in a pod. */
  readonly apiServer: string | undefined;
  /** The command line. */
  readonly argv: readonly string[];
}

const identityDirectory = '/var/run/secrets/photondb.io';
const drainMs = 10_000;
const mebibyte = 1_048_576;
const hourMs = 3_600_000;
const noData = {
  overlayBytes: 0,
  scrub: { passes: 0, rows: 0, bytes: 0, damagedTables: 0, damagedIndexes: 0 },
  cache: { bytes: 0, hits: 0, misses: 0 },
  applyQueue: 0,
  store: { fileBytes: 0, usedBytes: 0, freeBytes: 0, fileBytesMax: 0, oldestReaderMs: 0 },
  tables: [],
};
const noDrivers = {
  connections: 0,
  running: 0,
  openCursors: 0,
  queuedBytes: 0,
  counters: noCounts(),
};
/** Damaged tables that health names: one reason may be long. */
const damagedTablesMax = 100;
function dataHealth(database: Database): NonNullable<NodeHealth['data']> {
  const { store, tables } = database.metrics();
  const damagedTables = database.integrity.tables().slice(0, damagedTablesMax);
  const integrity = database.integrity.first ?? 'ok';
  return { integrity, storeBytes: store.fileBytes, tables: tables.length, damagedTables };
}

export class Node {
  readonly #options: NodeOptions;
  readonly #history: LogHistory;
  readonly #logins = new LoginGuard(machineClock);
  readonly #sockets = new Set<{ destroy(): unknown }>();
  readonly #servers: Server[] = [];
  readonly #startedAt = new Date();
  readonly #abort = new AbortController();
  #health: NodeHealth['state'] = 'Starting';
  #message = 'opening the data directory';
  #replay = { doneBytes: 0, totalBytes: 0, movedAt: performance.now() };
  #database: Database | undefined;
  #expiry: Expiry | undefined;
  #expiring: Promise<void> | undefined;
  #directory: DataDirectory | undefined;
  #drivers: DriverServer | undefined;
  #web: Server | undefined;
  #status: StatusWriter | undefined;
  /** Resolves with the reason when the node cannot go on. */
  readonly failed: Promise<Error>;
  #fail: (error: Error) => void = () => undefined;

  constructor(options: NodeOptions) {
    this.#history = new LogHistory(options.logger, () => Date.now());
    this.#options = { ...options, logger: this.#history };
    this.failed = new Promise((resolve) => (this.#fail = resolve));
  }

  /** Resolves with the ready line when the node serves. */
  async start(): Promise<string> {
    const { config } = this.#options;
    const http = await this.#listenHttp(
      healthServer(
        () => this.#healthNow(),
        nodeMetrics(() => this.#metrics()),
      ),
      config['http-port'],
      'health and metrics',
    );
    this.#startStatusWriter();
    const database = await this.#openDatabase();
    const disk = this.#diskGate(database);
    const driver = await this.#listenDrivers(database, disk);
    const web = await this.#listenHttp(
      webServer(() => this.#webStatus(database), webLogin(database, this.#logins)),
      config['web-port'],
      'people and programs',
    );
    this.#web = this.#servers.at(-1);
    this.#startExpiry(database, disk);
    this.#startScrub(database);
    this.#become('Ready', 'serving');
    // NB: nothing listens for other nodes while there is no replication; the port is said for its place in the line.
    const cluster = `${config.bind}:${config['cluster-port']}`;
    return `ready node=${config['node-name']} pid=${process.pid} driver=${driver} cluster=${cluster} http=${http} web=${web}`;
  }

  /** Stops taking work, lets queries end, and closes everything durable. */
  async stop(): Promise<void> {
    this.#become('Stopping', 'stopping');
    this.#abort.abort(new Error('the node is stopping'));
    for (const server of this.#servers) server.close();
    const deadline = AbortSignal.timeout(drainMs);
    const idle = this.#drivers?.idle();
    await Promise.race([idle, machineClock.sleep(drainMs, deadline).catch(() => undefined)]);
    this.#drivers?.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await this.#expiring;
    await this.#database?.stop();
    this.#directory?.[Symbol.dispose]();
    await this.#status?.stop();
  }

  #become(state: NodeHealth['state'], message: string): void {
    this.#health = state;
    this.#message = message;
    this.#status?.changed();
  }

  /** A node with damaged tables serves all others. */
  #condition(): Pick<NodeHealth, 'state' | 'message'> {
    const damaged = this.#database?.integrity.tables() ?? [];
    const [first] = damaged;
    if (this.#health !== 'Ready' || first === undefined) {
      return { state: this.#health, message: this.#message };
    }
    const message = `serving all tables but ${damaged.length} that are damaged, the first one ${first.name}: ${first.damage.message}`;
    return { state: 'Degraded', message };
  }

  #healthNow(): NodeHealth {
    const { doneBytes, totalBytes, movedAt } = this.#replay;
    const movedMsAgo = Math.round(performance.now() - movedAt);
    return {
      ...this.#condition(),
      replay: { doneBytes, totalBytes, movedMsAgo },
      ...(this.#database === undefined ? {} : { data: dataHealth(this.#database) }),
    };
  }

  async #openDatabase(): Promise<Database> {
    const { config, password, logger } = this.#options;
    const directory = openDirectory(
      config['data-dir'],
      config['cluster-name'],
      config['node-name'],
    );
    this.#directory = directory;
    const { path } = directory;
    await this.#compact(storeDirectoryOf(path));
    this.#message = 'replaying the log';
    const database = await openData({
      path,
      logger,
      overlayBytesMax: config['overlay-mib'] * mebibyte,
      cacheBytesMax: config['cache-mib'] * mebibyte,
      onProgress: (doneBytes, totalBytes) => {
        this.#replay = { doneBytes, totalBytes, movedAt: performance.now() };
      },
      signal: this.#abort.signal,
    });
    this.#database = database;
    void database.failed.then((error) => this.#fail(error));
    const fresh = Object.keys(database.state.users).length === 0;
    await settleAdmin(database, password);
    if (fresh) await database.change({ type: 'createDatabase', id: randomUUID(), name: 'test' });
    logger.info('the data is open', { path, replayedBytes: this.#replay.doneBytes });
    return database;
  }

  /** Ends with the database. */
  #startScrub(database: Database): void {
    const { logger, config } = this.#options;
    const intervalMs = config['scrub-hours'] * hourMs;
    if (intervalMs === 0) return;
    const passed: ScrubPlan['passed'] = (found) => {
      for (const { keyspace, what } of found) {
        logger.error('a scrub found damage', { keyspace, what });
      }
      logger.info('all data was scrubbed', { ...database.metrics().scrub });
    };
    void database
      .scrubAlways({ clock: machineClock, intervalMs, passed })
      .catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.#fail(error as Error);
      });
  }

  #startExpiry(database: Database, disk: DiskGate): void {
    const { signal } = this.#abort;
    const expiry = new Expiry({
      tables: () => database.expiringTables(),
      isRefused: () => disk.refusal('deletion') !== undefined,
      now: () => Date.now(),
      clock: machineClock,
      delayed: (table, error) =>
        this.#options.logger.warn('documents that are due stay for now', {
          table,
          reason: error.message,
        }),
    });
    this.#expiry = expiry;
    this.#expiring = expiry.run(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#fail(error as Error);
    });
  }

  async #compact(store: string): Promise<void> {
    const { config, logger } = this.#options;
    this.#message = 'compacting the data file';
    await compactAtStart({
      directory: store,
      percent: config['compact-at-start-percent'],
      usage: () => diskUsage(config['data-dir']),
      logger,
      onProgress: ({ doneBytes, totalBytes }) => {
        this.#replay = { doneBytes, totalBytes, movedAt: performance.now() };
      },
      signal: this.#abort.signal,
    });
    this.#replay = { doneBytes: 0, totalBytes: 0, movedAt: performance.now() };
  }

  #diskGate(database: Database): DiskGate {
    const { config, logger } = this.#options;
    return new DiskGate({
      usage: () => diskUsage(config['data-dir']),
      reusableBytes: () => database.storage().freeBytes,
      pendingBytes: () => database.pendingBytes,
      now: () => machineClock.now(),
      changed: (isFull, usage) => {
        if (isFull) logger.error('the disk is almost full: writes are refused', usage);
        else logger.info('the disk has room again: writes go on', usage);
      },
    });
  }

  async #listenDrivers(database: Database, disk: DiskGate): Promise<string> {
    const { config, logger } = this.#options;
    const directory = this.#directory;
    assert(directory !== undefined, 'drivers come after the data');
    const server = { id: directory.identity.id, name: config['node-name'] };
    const report = this.#report(database, disk);
    const drivers = new DriverServer({
      engine: createQueryEngine(createEnvironment(database, { server, report }, disk)),
      credentials: credentialsOf(database),
      server,
      limits: protocolLimits,
      clock: machineClock,
      connectionsMax: config['connections-max'],
      gateOf: (address) => this.#logins.at(address),
      internalError: (error) =>
        logger.error('a query failed by a fault of the node', {
          error: String((error as Error).stack),
        }),
    });
    this.#drivers = drivers;
    this.#servers.push(drivers.tcp);
    return listen(drivers.tcp, { host: config.bind, port: config['driver-port'], what: 'drivers' });
  }

  #report(database: Database, disk: DiskGate): NodeReport {
    const { config, version, argv } = this.#options;
    return nodeReport({
      config,
      version,
      argv,
      startedAt: this.#startedAt,
      database,
      disk,
      history: this.#history,
      drivers: () => this.#drivers,
      web: () => this.#web,
    });
  }

  async #listenHttp(
    app: Parameters<typeof createServer>[1],
    port: number,
    what: string,
  ): Promise<string> {
    const server = createServer(app as never);
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#servers.push(server);
    return listen(server, { host: this.#options.config.bind, port, what });
  }

  #metrics(): NodeMetrics {
    const { doneBytes, totalBytes } = this.#replay;
    const database = this.#database;
    const data = database?.metrics() ?? noData;
    const { connections, running, openCursors, queuedBytes, counters } = this.#drivers ?? noDrivers;
    return {
      version: this.#options.version,
      isReady: this.#health === 'Ready',
      tablesDamaged: database?.integrity.groups.size ?? 0,
      isIntact: database?.integrity.first === undefined,
      replayedBytes: doneBytes,
      replayTotalBytes: totalBytes,
      overlayBytes: data.overlayBytes,
      scrub: data.scrub,
      cache: data.cache,
      applyQueue: data.applyQueue,
      store: data.store,
      // Before the directory is there, there is nothing to say of its disk.
      diskFreeBytes:
        database === undefined ? 0 : diskUsage(this.#options.config['data-dir']).freeBytes,
      expired: this.#expiry?.expired ?? 0,
      expiryLagMs: this.#expiry?.lagMs ?? 0,
      tables: data.tables,
      drivers: { connections, running, openCursors, queuedBytes, ...counters },
    };
  }

  #webStatus(database: Database): WebStatus {
    const { config, version } = this.#options;
    const { databases, tables } = database.state;
    return {
      node: {
        name: config['node-name'],
        version,
        state: this.#condition().state,
        uptimeSeconds: Math.round((Date.now() - this.#startedAt.getTime()) / 1000),
        integrity: database.integrity.first?.message ?? 'ok',
        storeBytes: database.metrics().store.fileBytes,
      },
      tables: Object.values(tables).map((table) => {
        const group = database.group(table.id);
        return {
          database: databases[table.databaseId]?.name ?? '',
          name: table.name,
          documents: group?.count ?? 0,
          indexes: userIndexes(table).length,
          reads: group?.counters.reads ?? 0,
          writes: group?.counters.writes ?? 0,
        };
      }),
      connections: this.#drivers?.connections ?? 0,
      queries: this.#drivers?.counters.queries ?? 0,
    };
  }

  #logState(): 'Recovering' | 'Corrupt' | 'Ok' {
    if (this.#health === 'Starting') return 'Recovering';
    const damaged = this.#database?.integrity.tables() ?? [];
    return damaged.some(({ damage }) => damage.code === 'wal.corrupt') ? 'Corrupt' : 'Ok';
  }

  #startStatusWriter(): void {
    const { apiServer, config, logger, version } = this.#options;
    if (apiServer === undefined) return;
    this.#status = new StatusWriter({
      apiServer,
      directory: identityDirectory,
      name: config['node-name'],
      failed: (message) => logger.warn('the status of this node could not be written', { message }),
      status: ({ generation, roles }) => ({
        observedGeneration: generation,
        health: this.#condition().state,
        message: this.#condition().message,
        roles,
        version,
        revision: config.revision,
        startedAt: this.#startedAt.toISOString(),
        heartbeatAt: new Date().toISOString(),
        wal: {
          state: this.#logState(),
          replayedBytes: this.#replay.doneBytes,
          totalBytes: this.#replay.totalBytes,
        },
        replication: {
          groups: Object.keys(this.#database?.state.tables ?? {}).length,
          maxLagEntries: 0,
        },
      }),
    });
    void this.#status.run();
  }
}
