import type { Admitted } from '../../driver-protocol/driver-server.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Catalog } from '../../query/environment.ts';
import type { ServedRequest } from '../../workers/channel.ts';
import { ChannelFrameError } from '../../workers/errors.ts';
import type { QueryWorker, WorkerService } from '../../workers/query-worker.ts';
import type { CoreLogins } from './core-logins.ts';
import { CoreTables } from './core-tables.ts';
import type { CoreTablesOptions } from './core-tables.ts';
import type { DirectCounts } from './direct-reads.ts';
import { Fields } from './fields.ts';
import { catalogChanges } from './remote-catalog.ts';

export interface CoreServiceOptions {
  readonly worker: QueryWorker;
  readonly tables: CoreTablesOptions['table'];
  readonly catalog: Catalog;
  /** Whether a table is one of users; rows of the others are the catalogue. Asked for each write. */
  readonly isOfUsers: (table: string) => boolean;
  readonly check: CoreTablesOptions['check'];
  readonly logins: CoreLogins;
  readonly logger: Logger;
  readonly places: ConnectionPlaces;
  /** No new client is served. */
  readonly isDraining: () => boolean;
  /** Resolves when all query workers know the catalogue as it is now. */
  readonly publish: () => Promise<void>;
  /** What the worker has measured since it said so last. */
  readonly measured: (measured: unknown) => void;
  /** The worker has read documents from the store itself. */
  readonly read: (counts: DirectCounts) => void;
}

/** The connections that there may be, counted over all workers. */
export class ConnectionPlaces {
  readonly #max: number;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  enter(): boolean {
    if (this.#taken >= this.#max) return false;
    this.#taken += 1;
    return true;
  }

  left(count: number): void {
    this.#taken -= count;
  }
}

const levels = ['error', 'warn', 'info', 'debug'] as const;

type Request = (fields: Fields, request: ServedRequest) => unknown;

/** What the core does for one query worker. Bad messages of it are refused, whatever they hold. */
export class CoreService implements WorkerService {
  readonly #options: CoreServiceOptions;
  readonly #tables: CoreTables;
  readonly #requests: Readonly<Record<string, Request>>;
  #connections = 0;

  constructor(options: CoreServiceOptions) {
    this.#options = options;
    const { logins } = options;
    const tables = new CoreTables({ table: options.tables, check: options.check });
    this.#tables = tables;
    this.#requests = {
      get: (fields, request) => tables.get(fields, request),
      scan: (fields, request) => tables.scan(fields, request),
      as: (fields, request) => tables.inMode(fields, request),
      next: (fields, request) => tables.next(fields, request),
      edit: (fields, request) => this.#edit(fields, request),
      count: (fields) => tables.count(fields),
      sync: (fields) => tables.sync(fields),
      change: (fields) => this.#change(fields),
      ready: (fields, request) => this.#ready(fields, request),
      refresh: () => options.publish(),
      enter: () => this.#enter(),
      verifier: (fields) => logins.verifier(fields),
      proof: (fields) => logins.proof(fields),
      key: (fields) => logins.key(fields),
      waitMs: (fields) => logins.waitMs(fields),
      settle: (fields) => logins.settle(fields),
    };
  }

  serve(body: unknown, request: ServedRequest): unknown {
    const fields = new Fields(body);
    const name = fields.text();
    const answer = Object.hasOwn(this.#requests, name) ? this.#requests[name] : undefined;
    if (answer !== undefined) return answer(fields, request);
    throw new ChannelFrameError('A query worker sent an unknown request.');
  }

  noticed(body: unknown): void {
    const fields = new Fields(body);
    switch (fields.text()) {
      case 'left':
        return this.#left();
      case 'close':
        return this.#tables.close(fields);
      case 'reads':
        return this.#read(fields);
      case 'log':
        return this.#log(fields);
      case 'measured':
        return this.#options.measured(fields.any());
      default:
        throw new ChannelFrameError('A query worker sent an unknown notice.');
    }
  }

  ended(): void {
    this.#tables.ended();
    this.#options.places.left(this.#connections);
    this.#connections = 0;
  }

  #edit(fields: Fields, request: ServedRequest): Promise<unknown> {
    const table = fields.text();
    const outcomes = this.#tables.edit(table, fields, request);
    const { isOfUsers, publish } = this.#options;
    return outcomes.then((answer) => (isOfUsers(table) ? answer : publish().then(() => answer)));
  }

  async #change(fields: Fields): Promise<unknown> {
    const name = fields.oneOf(catalogChanges);
    // Names and settings were checked by the query engine of the worker; existence is decided by the catalogue.
    const change = this.#options.catalog[name] as (...args: unknown[]) => Promise<unknown>;
    const answer = await change(...fields.array());
    await this.#options.publish();
    return answer;
  }

  async #ready(fields: Fields, request: ServedRequest): Promise<null> {
    const id = fields.text();
    const names = fields.optional((all) => all.array().map(String));
    await this.#options.catalog.ready(id, names, request.signal);
    await this.#options.publish();
    return null;
  }

  #enter(): Admitted {
    if (this.#options.isDraining()) return 'draining';
    if (!this.#options.places.enter()) return 'full';
    this.#connections += 1;
    return 'admitted';
  }

  #left(): void {
    if (this.#connections === 0) throw new ChannelFrameError('More connections end than began.');
    this.#connections -= 1;
    this.#options.places.left(1);
  }

  #read(fields: Fields): void {
    const forwarded = fields.number();
    const documents = fields.array().map((pair): readonly [string, number] => {
      const of = new Fields(pair);
      return [of.text(), of.number()];
    });
    this.#options.read({ forwarded, documents });
  }

  #log(fields: Fields): void {
    const level = fields.oneOf(levels);
    const message = fields.text();
    const more = fields.any();
    const isObject = typeof more === 'object' && more !== null;
    this.#options.logger[level](message, isObject ? more : undefined);
  }
}
