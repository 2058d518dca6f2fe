import { DriverServer } from '../driver-protocol/driver-server.ts';
import { protocolLimits } from '../driver-protocol/limits.ts';
import { createQueryEngine } from '../query/create-engine.ts';
import type { NodeReport } from '../query/node-report.ts';
import type { LoginGuard } from '../security/login-guard.ts';
import type { PasswordChecker } from '../security/password-checker.ts';
import type { NodeContext } from './context.ts';
import type { DataService } from './data-service.ts';
import type { DiskGate } from './disk-gate.ts';
import { localDrivers } from './drivers.ts';
import type { Drain } from './drain.ts';
import type { Drivers } from './drivers.ts';
import { createEnvironment } from './environment.ts';
import { guardedEnvironment } from './guarded-environment.ts';
import { measuredTables } from './measured-table.ts';
import { queryLimitsOf } from './query-limits.ts';
import { openPort } from './open-port.ts';
import { QueryMeasurements } from './query-measurements.ts';
import type { PeerService } from './routing/peer-service.ts';
import type { MembershipService } from './membership-service.ts';
import type { Service } from './services.ts';
import { tracedEngine } from './traced-engine.ts';
import { loginsOf } from './users.ts';

export interface DriverServiceParts {
  readonly data: DataService;
  readonly disk: DiskGate;
  readonly passwords: PasswordChecker;
  readonly logins: LoginGuard;
  readonly peers: Pick<PeerService, 'environment' | 'verifier'>;
  readonly membership: Pick<MembershipService, 'refusal' | 'members' | 'isRemoved'>;
  readonly drain: Pick<Drain, 'isActive'>;
  /** What the system tables show of the node; its data is open. */
  readonly report: () => NodeReport;
}

/** The query engine behind the port for drivers. */
export class DriverService implements Service {
  readonly name = 'drivers';
  readonly #context: NodeContext;
  readonly #parts: DriverServiceParts;
  #server: DriverServer | undefined;
  #address = '';

  constructor(context: NodeContext, parts: DriverServiceParts) {
    this.#context = context;
    this.#parts = parts;
    const { clock } = context;
    this.#measurements = new QueryMeasurements(() => clock.now());
    this.drivers = localDrivers(() => this.#server, this.#measurements);
  }

  readonly #measurements: QueryMeasurements;
  readonly drivers: Drivers;

  get address(): string {
    return this.#address;
  }

  /** Queries of this process read the catalogue itself. */
  publish(): Promise<void> {
    return Promise.resolve();
  }

  async start(): Promise<void> {
    const { config, logger, shares, clock, chance } = this.#context;
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
    const routed = peers.environment(own);
    const measurements = this.#measurements;
    const measured = { ...routed, table: measuredTables(routed.table, measurements) };
    const environment = guardedEnvironment(measured, () => membership.refusal);
    const engine = createQueryEngine(environment, queryLimitsOf(config, clock));
    const drivers = new DriverServer({
      engine: config['log-level'] === 'debug' ? tracedEngine(engine, logger, clock) : engine,
      server,
      limits: protocolLimits,
      clock,
      chance,
      connectionsMax: shares.driverConnections,
      isDraining: () => drain.isActive,
      loginsOf: loginsOf({ database: peers, passwords, logins, chance }),
      answered: (term, ms) => measurements.answered(term, ms),
      internalError: (error) =>
        logger.error('a query failed because of an internal error', {
          error: String((error as Error).stack),
        }),
    });
    this.#server = drivers;
    this.#address = await openPort(this.#context, drivers.tcp, {
      option: 'driver-port',
      what: 'drivers',
    });
  }

  async drain(): Promise<void> {
    await this.#server?.finish();
  }

  stop(): void {
    this.#server?.destroy();
  }
}
