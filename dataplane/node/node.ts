import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Server } from 'node:net';
import { assert } from '../common/assert.ts';
import { passwordRefusal } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import { noCounts } from '../driver-protocol/counters.ts';
import { DriverServer } from '../driver-protocol/driver-server.ts';
import { protocolLimits } from '../driver-protocol/limits.ts';
import { healthServer } from '../http/health.ts';
import type { NodeHealth } from '../http/health.ts';
import { HttpPort } from '../http/http-port.ts';
import { httpLimits } from '../http/limits.ts';
import type { HostNames } from '../http/request-rules.ts';
import { webServer } from '../http/web.ts';
import type { WebStatus } from '../http/web.ts';
import { leaveToBegin } from '../kubernetes/former-data.ts';
import { StatusWriter } from '../kubernetes/node-status.ts';
import { OwnNode } from '../kubernetes/own-node.ts';
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
import { PasswordChecker } from '../security/password-checker.ts';
import { isUnused, openDirectory } from '../storage/directory.ts';
import type { DataDirectory } from '../storage/directory.ts';
import { machineClock } from './clock.ts';
import { compactAtStart } from './compact-at-start.ts';
import type { DescriptorShares } from './descriptors.ts';
import { DiskGate } from './disk-gate.ts';
import { diskUsage } from './disk-usage.ts';
import { createEnvironment } from './environment.ts';
import { listen } from './listen.ts';
import { nodeReport } from './report.ts';
import { troublesOf } from './troubles.ts';
import { openData, storeDirectoryOf } from './open-data.ts';
import { readPasswordAgain } from './password-file.ts';
import { PasswordWatch } from './password-watch.ts';
import { PortLog } from './port-log.ts';
import { tracedEngine } from './traced-engine.ts';
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
  readonly shares: DescriptorShares;
  /** It listens already, so that probes are answered from the first moment. */
  readonly health: HealthPort;
  readonly hosts: HostNames;
}

export interface HealthPort {
  readonly port: HttpPort;
  readonly address: string;
}

/** Where a node serves, and the line that says so. */
interface Ready {
  readonly line: string;
  readonly driver: string;
  readonly web: string;
}

const identityDirectory = '/var/run/secrets/photondb.io';
/** Between two questions whether an empty data directory may be begun. */
const leavePauseMs = 1_000;
const drainMs = 10_000;
const mebibyte = 1_048_576;
const hourMs = 3_600_000;
const noData = {
  overlayBytes: 0,
  scrub: {
    passes: 0,
    rows: 0,
    bytes: 0,
    damagedTables: 0,
    damagedIndexes: 0,
    damagedDocuments: 0,
  },
  failedIndexes: 0,
  failedEvaluations: 0,
  damagedDocuments: 0,
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
  const issues = troublesOf(database).slice(0, damagedTablesMax);
  const counts = { storeBytes: store.fileBytes, tables: tables.length };
  return { integrity, ...counts, damagedTables, issues };
}

export class Node {
  readonly #options: NodeOptions;
  readonly #history: LogHistory;
  readonly #logins = new LoginGuard(machineClock);
  readonly #portLog: PortLog;
  readonly #servers: Server[] = [];
  #web: HttpPort | undefined;
  readonly #startedAt = new Date();
  readonly #abort = new AbortController();
  readonly #started = Promise.withResolvers<void>();
  #health: NodeHealth['state'] = 'Starting';
  #message = 'opening the data directory';
  #replay = { doneBytes: 0, totalBytes: 0, movedAt: performance.now() };
  #database: Database | undefined;
  #expiry: Expiry | undefined;
  #expiring: Promise<void> | undefined;
  #directory: DataDirectory | undefined;
  /** The identity that the data directory should have; undefined when it has it, or may have any. */
  #missingId: string | undefined;
  #drivers: DriverServer | undefined;
  #status: StatusWriter | undefined;
  /** Resolves with the reason when the node cannot go on. */
  readonly failed: Promise<Error>;
  #fail: (error: Error) => void = () => undefined;

  constructor(options: NodeOptions) {
    this.#history = new LogHistory(options.logger, () => Date.now());
    this.#options = { ...options, logger: this.#history };
    this.#portLog = new PortLog(this.#history, machineClock);
    this.failed = new Promise((resolve) => (this.#fail = resolve));
  }

  /** Queries that have no answer yet. */
  get running(): number {
    return this.#drivers?.running ?? 0;
  }

  /** Resolves when the node serves. */
  async start(): Promise<Ready> {
    const { config, health } = this.#options;
    const metrics = nodeMetrics(() => this.#metrics());
    const start = { over: this.#started.promise };
    health.port.answerWith(healthServer(() => this.#healthNow(), metrics, start));
    this.#portLog.follow(health.port.tcp, 'health and metrics');
    this.#startStatusWriter();
    const database = await this.#openDatabase();
    const disk = this.#diskGate(database);
    const passwords = new PasswordChecker({
      verifierOf: (user) => database.verifier(user),
      clock: machineClock,
      signal: this.#abort.signal,
    });
    const driver = await this.#listenDrivers(database, disk, passwords);
    const web = await this.#listenWeb(database, passwords);
    this.#startExpiry(database, disk);
    this.#startScrub(database);
    this.#watchPassword(database);
    this.#become('Ready', 'serving');
    this.#started.resolve();
    // NB: nothing listens for other nodes while there is no replication; the port is said for its place in the line.
    const host = config.bind.includes(':') ? `[${config.bind}]` : config.bind;
    const cluster = `${host}:${config['cluster-port']}`;
    const line = `ready node=${config['node-name']} pid=${process.pid} driver=${driver} cluster=${cluster} http=${health.address} web=${web}`;
    return { line, driver, web };
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
    this.#web?.destroy();
    await this.#expiring;
    const database = this.#database;
    // Health and metrics are asked for until the end, and there is nothing to read from now on.
    this.#database = undefined;
    await database?.stop();
    this.#directory?.[Symbol.dispose]();
    await this.#status?.stop();
    const { port } = this.#options.health;
    port.tcp.close();
    port.destroy();
  }

  #become(state: NodeHealth['state'], message: string): void {
    this.#health = state;
    this.#message = message;
    this.#status?.changed();
  }

  /** A node with damage serves everything else. */
  #condition(): Pick<NodeHealth, 'state' | 'message'> {
    const state = this.#health;
    if (state !== 'Ready' || this.#database === undefined) return { state, message: this.#message };
    const damaged = this.#database.integrity.tables();
    const [first] = damaged;
    if (first !== undefined) {
      const message = `serving all tables but ${damaged.length} that are damaged, the first one ${first.name}: ${first.damage.message}`;
      return { state: 'Degraded', message };
    }
    const [trouble] = troublesOf(this.#database);
    if (trouble === undefined) return { state, message: this.#message };
    return { state: 'Degraded', message: `serving, but: ${trouble.description}` };
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
    await this.#leaveToBegin(config['data-dir']);
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
    const { frozen } = database;
    if (frozen === undefined) await settleAdmin(database, password);
    else logger.error('the metadata stays as it is', { error: frozen.message });
    for (const { type, description } of troublesOf(database)) {
      logger.error('the data is damaged, and everything else is served', { type, description });
    }
    if (fresh && frozen === undefined)
      await database.change({ type: 'createDatabase', id: randomUUID(), name: 'test' });
    logger.info('the data is open', { path, replayedBytes: this.#replay.doneBytes });
    return database;
  }

  /** In Kubernetes, an empty directory may stand in the place of one that was lost. */
  async #leaveToBegin(path: string): Promise<void> {
    const { apiServer, config, logger } = this.#options;
    const isPodOfOperator = apiServer !== undefined && existsSync(`${identityDirectory}/token`);
    if (!isPodOfOperator || !isUnused(path)) return;
    const name = config['node-name'];
    const node = new OwnNode({ apiServer, directory: identityDirectory, name });
    const { signal } = this.#abort;
    await leaveToBegin({
      read: () => node.read(),
      waiting: (message, missingId) => {
        // Waiting is no replay that stands still.
        this.#replay = { ...this.#replay, movedAt: performance.now() };
        if (message === this.#message) return;
        this.#missingId = missingId;
        logger.warn('the node does not begin', { reason: message });
        this.#become('Starting', message);
      },
      pause: () => machineClock.sleep(leavePauseMs, signal),
      signal,
    });
    this.#missingId = undefined;
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

  async #listenDrivers(
    database: Database,
    disk: DiskGate,
    passwords: PasswordChecker,
  ): Promise<string> {
    const { config, logger, shares } = this.#options;
    const directory = this.#directory;
    assert(directory !== undefined, 'drivers come after the data');
    const server = { id: directory.identity.id, name: config['node-name'] };
    const report = this.#report(database, disk);
    const engine = createQueryEngine(createEnvironment(database, { server, report }, disk));
    const drivers = new DriverServer({
      engine: config['log-level'] === 'debug' ? tracedEngine(engine, logger, machineClock) : engine,
      credentials: credentialsOf(database, passwords),
      server,
      limits: protocolLimits,
      clock: machineClock,
      connectionsMax: shares.driverConnections,
      gateOf: (address) => this.#logins.at(address),
      internalError: (error) =>
        logger.error('a query failed by a fault of the node', {
          error: String((error as Error).stack),
        }),
    });
    this.#drivers = drivers;
    return this.#listen(drivers.tcp, 'driver-port', 'drivers');
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
      web: () => this.#web?.tcp,
    });
  }

  async #listenWeb(database: Database, passwords: PasswordChecker): Promise<string> {
    const { shares, hosts } = this.#options;
    const web = new HttpPort({
      limits: { ...httpLimits, connectionsMax: shares.httpConnections },
      hosts,
      answer: webServer(() => this.#webStatus(database), webLogin(passwords, this.#logins)),
    });
    this.#web = web;
    return this.#listen(web.tcp, 'web-port', 'people and programs');
  }

  async #listen(server: Server, option: 'driver-port' | 'web-port', what: string): Promise<string> {
    const { config } = this.#options;
    this.#servers.push(server);
    const at = { host: config.bind, port: config[option], what, option };
    const address = await listen(server, at);
    this.#portLog.follow(server, what);
    return address;
  }

  /** A Secret that is mounted changes in the running pod. */
  #watchPassword(database: Database): void {
    const { config, logger, password } = this.#options;
    const path = config['admin-password-file'];
    if (path === '') return;
    const { signal } = this.#abort;
    const watch = new PasswordWatch({
      clock: machineClock,
      logger,
      initial: password,
      read: () => readPasswordAgain(path),
      refusalOf: (given) => passwordRefusal(config, given),
      settle: (given) => settleAdmin(database, given),
    });
    watch.run(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#fail(error as Error);
    });
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
      indexesFailed: data.failedIndexes,
      indexEvaluationsFailed: data.failedEvaluations,
      documentsDamaged: data.damagedDocuments,
      isIntact: database?.integrity.first === undefined && database?.frozen === undefined,
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
        id: this.#directory?.identity.id,
        missingId: this.#missingId ?? null,
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
