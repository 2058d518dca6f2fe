import { once } from 'node:events';
import { flushCompileCache } from 'node:module';
import { DriverServer } from '../../driver-protocol/driver-server.ts';
import { protocolLimits } from '../../driver-protocol/limits.ts';
import type { Logger } from '../../observability/logger.ts';
import { createEngine } from '../../query/create-engine.ts';
import type { Environment } from '../../query/environment.ts';
import { withRemoteSystemDatabase } from '../../query/system-database.ts';
import { termText } from '../../query/term-text.ts';
import type { Channel, ServedRequest } from '../../workers/channel.ts';
import { ChannelFrameError } from '../../workers/errors.ts';
import { machineChance } from '../chance.ts';
import { machineClock } from '../clock.ts';
import { cancelIn, figuresOf, noFigures, queriesOf } from '../drivers.ts';
import { PortLog } from '../port-log.ts';
import { queryLimitsOf } from '../query-limits.ts';
import { MeasuredTable } from '../measured-table.ts';
import { QueryRecorder } from '../query-measurements.ts';
import { tracedEngine } from '../traced-engine.ts';
import { LmdbReader } from '../../storage/lmdb-reader.ts';
import type { ReadMode, TableAccess } from '../../wire/table-access.ts';
import { UnappliedFileView } from '../../workers/unapplied-file.ts';
import type { CatalogChange } from './catalog-feed.ts';
import { CatalogReplica } from './catalog-replica.ts';
import { DirectReads } from './direct-reads.ts';
import { directTable } from './direct-table.ts';
import { thrownHere } from './failures.ts';
import { Fields } from './fields.ts';
import { FlightLog } from './flight-recorder.ts';
import type { LocatedTable } from './table-layout.ts';
import { remoteCatalog } from './remote-catalog.ts';
import { remoteLogins } from './remote-logins.ts';
import { RemoteTables } from './remote-table.ts';

const recorderDescriptor = 5;
const blocksDescriptor = 6;

/** What a worker receives when it starts. */
export interface Welcome {
  readonly server: Environment['server'];
  readonly connectionsMax: number;
  readonly isTraced: boolean;
  /** Limits of queries. */
  readonly options: Parameters<typeof queryLimitsOf>[0];
  readonly catalog: CatalogChange;
  /** The store, when the worker may read it itself. */
  readonly directReads: { readonly directory: string; readonly corePid: number } | undefined;
}

/** Of the queries that run for the longest time, when the core asks how the worker is. */
const reportedQueriesMax = 4;
const reportedCharactersMax = 300;

/** The parts of a query worker: the driver port, the query engine, and the core's tables and catalogue behind it. */
export class WorkerNode {
  readonly #channel: Channel;
  readonly #replica = new CatalogReplica();
  readonly #tables: RemoteTables;
  readonly #recorder = new QueryRecorder();
  #reads: DirectReads | undefined;
  /** By where the store has the table: most queries name one that was named before. */
  readonly #accesses = new WeakMap<LocatedTable, TableAccess>();
  #server: DriverServer | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
    this.#tables = new RemoteTables(channel);
  }

  serve(body: unknown, _request: ServedRequest): unknown {
    const fields = new Fields(body);
    switch (fields.text()) {
      case 'welcome':
        return this.#start(fields.any() as Welcome);
      case 'catalog':
        this.#replica.apply(fields.any() as CatalogChange);
        return null;
      case 'how':
        return this.#how();
      case 'queries':
        return this.#server === undefined ? [] : queriesOf(this.#server);
      case 'cancel':
        return this.#server !== undefined && cancelIn(this.#server, fields.text());
      case 'drain':
        return this.#drain();
      default:
        throw new ChannelFrameError('The core sent an unknown request.');
    }
  }

  async #start(welcome: Welcome): Promise<null> {
    const { server: identity, connectionsMax, isTraced, options, catalog } = welcome;
    this.#replica.apply(catalog);
    const channel = this.#channel;
    const logger = this.#logger();
    this.#reads = directReadsOf(welcome.directReads, logger);
    const flights = new FlightLog(recorderDescriptor);
    const engine = createEngine(this.#environment(identity), queryLimitsOf(options, machineClock));
    const server = new DriverServer({
      engine: isTraced ? tracedEngine(engine, logger, machineClock) : engine,
      server: identity,
      limits: protocolLimits,
      clock: machineClock,
      chance: machineChance,
      connectionsMax,
      loginsOf: remoteLogins(channel, machineChance),
      admission: {
        enter: async () => {
          const answer = await thrownHere(channel.request(['enter']));
          return answer === 'admitted' || answer === 'draining' ? answer : 'full';
        },
        left: () => channel.notify(['left']),
      },
      taken: (text) => flights.taken(text),
      answered: (term, ms) => this.#recorder.answered(term, ms),
      internalError: (error) =>
        logger.error('a query failed because of an internal error', {
          error: String((error as Error).stack),
        }),
    });
    server.tcp.listen({ fd: 4 });
    await once(server.tcp, 'listening');
    server.tcp.on('error', () => undefined);
    new PortLog(logger, machineClock).follow(server.tcp, 'drivers');
    this.#server = server;
    // At the end of the process there may be no time for it.
    flushCompileCache();
    return null;
  }

  #environment(server: Environment['server']): Environment {
    const catalog = remoteCatalog(this.#replica, this.#channel);
    const environment: Environment = {
      catalog,
      table: (id, mode) => this.#table(id, mode),
      pause: () => machineClock.yield(),
      sleep: (ms, signal) => machineClock.sleep(ms, signal),
      now: () => machineClock.timeOfDay(),
      uuid: () => machineChance.uuid(),
      random: () => machineChance.next(),
      server,
    };
    return withRemoteSystemDatabase(environment, (id) => this.#tables.table(id));
  }

  #table(id: string, mode?: ReadMode): TableAccess | undefined {
    const located = this.#replica.located(id);
    if (located === undefined) return undefined;
    const isPlain = mode === undefined || mode === 'single';
    if (!isPlain) return this.#open(located, mode);
    const known = this.#accesses.get(located);
    if (known !== undefined) return known;
    const access = this.#open(located, undefined);
    this.#accesses.set(located, access);
    return access;
  }

  #open(located: LocatedTable, mode: ReadMode | undefined): TableAccess {
    const remote = this.#tables.table(located.id, mode);
    // A majority is asked by the core.
    const reads = mode === 'majority' ? undefined : this.#reads;
    const table = reads === undefined ? remote : directTable(remote, located, reads);
    return new MeasuredTable(table, this.#recorder);
  }

  #logger(): Logger {
    const log =
      (level: string) =>
      (message: string, fields: object = {}): void =>
        this.#channel.notify(['log', level, message, fields]);
    return { error: log('error'), warn: log('warn'), info: log('info'), debug: log('debug') };
  }

  #how(): unknown {
    const counts = this.#reads?.taken();
    if (counts !== undefined) this.#channel.notify(['reads', counts.forwarded, counts.documents]);
    const server = this.#server;
    if (server === undefined) return { figures: noFigures(), longest: [] };
    // Notices are not lost when the answer comes too late for the question.
    const measured = this.#recorder.take();
    if (measured !== undefined) this.#channel.notify(['measured', measured]);
    const longest = server.queries.longest(reportedQueriesMax);
    return {
      figures: figuresOf(server),
      longest: longest.map((term) => termText(term).slice(0, reportedCharactersMax)),
    };
  }

  async #drain(): Promise<null> {
    await this.#server?.finish();
    return null;
  }
}

/** Undefined when the store cannot be opened: then the core is asked for every row. */
function directReadsOf(given: Welcome['directReads'], logger: Logger): DirectReads | undefined {
  if (given === undefined || given === null) return undefined;
  const { directory, corePid } = given;
  try {
    return new DirectReads({
      store: new LmdbReader({ directory }),
      blocks: new UnappliedFileView(blocksDescriptor),
      // What has lost its parent is given another one.
      isCoreThere: () => process.ppid === corePid,
    });
  } catch (error) {
    logger.warn('a query worker cannot read the storage itself', {
      reason: (error as Error).message,
    });
    return undefined;
  }
}
