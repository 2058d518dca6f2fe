import { availableParallelism, totalmem } from 'node:os';
import { LogHistory } from '../observability/log-history.ts';
import type { NodeMetrics } from '../observability/metrics.ts';
import type { NodeReport } from '../query/node-report.ts';
import type { Expiry } from '../maintenance/expiry.ts';
import { LoginGuard } from '../security/login-guard.ts';
import { PasswordChecker } from '../security/password-checker.ts';
import { AdminService } from './admin-service.ts';
import type { NodeContext, NodeOptions } from './context.ts';
import { DataService } from './data-service.ts';
import { DirectoryService } from './directory-service.ts';
import { DiskGate } from './disk-gate.ts';
import { diskUsage } from './disk-usage.ts';
import { Drain } from './drain.ts';
import { DriverService } from './driver-service.ts';
import { healthService } from './health-service.ts';
import { kubernetesStatusService } from './kubernetes-status.ts';
import { createExpiry, expiryService, passwordWatchService, scrubService } from './maintenance.ts';
import { MembershipService } from './membership-service.ts';
import { metricsOf } from './node-metrics.ts';
import { podTrustService } from './pod-trust-service.ts';
import { PortLog } from './port-log.ts';
import { Progress } from './progress.ts';
import { nodeReport } from './report.ts';
import { PeerService } from './routing/peer-service.ts';
import { selfQuarantineReason } from './self-quarantine.ts';
import { Services } from './services.ts';
import { WebService } from './web-service.ts';
import { webStatus } from './web-status.ts';
import { workerSizes } from './workers/sizing.ts';
import type { Machine, WorkerSizes } from './workers/sizing.ts';
import { WorkerDriverService } from './workers/worker-service.ts';

/** Where a node serves, and the line that says so. */
interface Ready {
  readonly line: string;
  readonly driver: string;
  readonly web: string;
}

const drainMs = 10_000;
/** Queries that run although the node is drained end within it at least. */
const lastDrainMs = 1_000;

/** A node: its services, joined in the order in which they can be used. */
export class Node {
  readonly #context: NodeContext;
  readonly #stopping = new AbortController();
  readonly #started = Promise.withResolvers<void>();
  readonly #data: DataService;
  readonly #membership: MembershipService;
  readonly #disk: DiskGate;
  readonly #peers: PeerService;
  readonly #expiry: Expiry;
  readonly #drivers: DriverService | WorkerDriverService;
  readonly #web: WebService;
  readonly #services: Services;
  readonly #drain: Drain;
  #isServing = false;
  /** Resolves with the reason of a fatal error. */
  readonly failed: Promise<Error>;

  constructor(options: NodeOptions) {
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    const context = createContext(options, this.#stopping.signal, resolve);
    this.#context = context;
    const directory = new DirectoryService(context);
    this.#membership = new MembershipService(context, directory);
    const sizes = sizesOf(context);
    const data = new DataService(context, directory, {
      hasWorkers: sizes !== undefined,
      membership: this.#membership,
    });
    this.#data = data;
    this.#disk = createDiskGate(context, data);
    this.#expiry = createExpiry(context, data, this.#disk);
    const { signal, clock, chance } = context;
    const disk = this.#disk;
    const membership = this.#membership;
    const published = (): Promise<void> => this.#drivers.publish();
    const peers = new PeerService(context, { data, disk, membership, published });
    this.#peers = peers;
    const verifierOf = (user: string) => peers.verifier(user);
    const passwords = new PasswordChecker({ verifierOf, clock, chance, signal });
    const logins = new LoginGuard(clock);
    const report = (): NodeReport => this.#report();
    this.#drain = this.#createDrain();
    const drain = this.#drain;
    const parts = { data, disk, passwords, logins, report, peers, membership, drain };
    this.#drivers =
      sizes === undefined
        ? new DriverService(context, parts)
        : new WorkerDriverService(context, parts, sizes);
    const status = () =>
      webStatus(context, data.opened, {
        drivers: this.#drivers.drivers,
        membership,
        shards: () => peers.shards.shards(),
      });
    this.#web = new WebService(context, { passwords, logins, status });
    this.#services = new Services(
      [
        healthService(context, {
          data,
          membership,
          disk,
          drivers: this.#drivers.drivers,
          metrics: () => this.#metrics(),
          started: this.#started.promise,
        }),
        kubernetesStatusService(context, data, membership),
        directory,
        membership,
        podTrustService(context, membership),
        data,
        peers,
        this.#drivers,
        this.#web,
        new AdminService(context, {
          directory,
          membership,
          drain,
          needs: () => peers.shards.needs(),
        }),
        expiryService(context, this.#expiry),
        scrubService(context, data),
        passwordWatchService(context, data),
      ],
      { clock, signal, drainMs },
    );
  }

  /** Queries that have no answer yet. */
  get running(): number {
    return this.#drivers.drivers.figures.running;
  }

  /** Resolves when the node serves. */
  async start(): Promise<Ready> {
    const { config, health, progress } = this.#context;
    await this.#services.start();
    const [driver, web] = [this.#drivers.address, this.#web.address];
    this.#membership.serveDriversAt(driver);
    progress.become('Ready', 'serving');
    this.#heedQuarantine();
    this.#membership.onChange(() => this.#heedQuarantine());
    this.#started.resolve();
    this.#isServing = true;
    const cluster = this.#membership.address;
    const line = `ready node=${config['node-name']} pid=${process.pid} driver=${driver} cluster=${cluster} http=${health.address} web=${web}`;
    return { line, driver, web };
  }

  /** A damaged log is found at the start, and other nodes with data come and go. */
  #heedQuarantine(): void {
    // Query workers ask the core then, which refuses. They do so until the node is started again.
    if (this.#membership.refusal !== undefined) this.#data.database?.endDirectReads();
    const damaged = this.#data.database?.corruption.tables() ?? [];
    const reason = selfQuarantineReason(damaged, this.#membership.members);
    if (reason !== undefined) this.#membership.membership?.keeper.quarantineSelf(reason);
  }

  #createDrain(): Drain {
    const { clock } = this.#context;
    return new Drain({
      clock,
      graceMs: drainMs,
      announce: (isDraining) => {
        this.#membership.membership?.setDraining(isDraining);
        this.#membership.touch();
      },
      handOver: (signal) => this.#peers.handOver(signal),
      led: () => this.#peers.led,
      clients: async () => {
        await this.#drivers.drivers.refresh();
        return this.#drivers.drivers.figures;
      },
    });
  }

  /** Stops taking work, lets queries end, and closes everything durable. */
  async stop(): Promise<void> {
    const { clock, progress } = this.#context;
    const until = clock.now() + drainMs;
    progress.become('Stopping', 'stopping');
    // Nobody sends clients here any more, and other nodes lead, while what runs ends.
    if (this.#isServing) {
      this.#drain.begin();
      await this.#drain.ended;
      // Other nodes answer what clients still ask, as long as this one has not begun to stop.
      await this.#leaveClients(Math.max(lastDrainMs, until - clock.now()));
    }
    this.#stopping.abort(new Error('the node is stopping'));
    await this.#services.stop(Math.max(lastDrainMs, until - clock.now()));
  }

  async #leaveClients(withinMs: number): Promise<void> {
    const late = new AbortController();
    const left = new AbortController();
    const timeout = this.#context.clock.sleep(withinMs, left.signal).then(
      () => late.abort(new Error('the time to leave the clients is over')),
      () => undefined,
    );
    await Promise.race([this.#drivers.drain(late.signal), timeout]);
    left.abort();
  }

  #metrics(): NodeMetrics {
    const { version, progress, config } = this.#context;
    return metricsOf({
      version,
      progress,
      dataDirectory: config['data-dir'],
      database: this.#data.database,
      drivers: this.#drivers.drivers.figures,
      workers: this.#drivers.drivers.workerFigures,
      expiry: this.#expiry,
    });
  }

  #report(): NodeReport {
    const { config, version, argv, startedAt, logger, clock } = this.#context;
    return nodeReport({
      config,
      version,
      argv,
      startedAt,
      clock,
      database: this.#data.opened,
      disk: this.#disk,
      history: logger,
      members: () => this.#membership.members,
      servers: () => this.#peers.shards.servers(),
      shards: () => this.#peers.shards.shards(),
      users: () => this.#peers.users,
      drivers: this.#drivers.drivers,
      web: () => this.#web.tcp,
    });
  }
}

/** Of query workers; undefined when there are none. */
function sizesOf({ config }: NodeContext): WorkerSizes | undefined {
  const sizes = workerSizes(config, machine());
  // Without data, queries are few: they run beside the sessions that carry them on.
  return sizes.count === 0 || !config.roles.includes('data') ? undefined : sizes;
}

/** A container without a limit says so by a number that no machine has. */
const machine = (): Machine => ({
  cores: availableParallelism(),
  memoryBytes: Math.min(process.constrainedMemory() || totalmem(), totalmem()),
});

function createContext(
  options: NodeOptions,
  signal: AbortSignal,
  fail: (error: Error) => void,
): NodeContext {
  const { clock } = options;
  const logger = new LogHistory(options.logger, () => clock.timeOfDay());
  const portLog = new PortLog(logger, clock);
  const progress = new Progress(clock);
  const startedAt = new Date(clock.timeOfDay());
  return { ...options, logger, portLog, progress, startedAt, signal, fail };
}

function createDiskGate({ config, logger, clock }: NodeContext, data: DataService): DiskGate {
  return new DiskGate({
    usage: () => diskUsage(config['data-dir']),
    reusableBytes: () => data.opened.storage().freeBytes,
    pendingBytes: () => data.opened.pendingBytes,
    now: () => clock.now(),
    changed: (isFull, usage) => {
      if (isFull) logger.error('the disk is almost full: writes are refused', usage);
      else logger.info('the disk has space again: writes resume', usage);
    },
  });
}
