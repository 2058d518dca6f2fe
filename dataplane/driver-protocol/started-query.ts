import type { GlobalOptions, QueryOrigin } from '../query/engine.ts';
import { readSessionOptions } from '../query/global-options.ts';
import type { SessionOptions } from '../query/global-options.ts';
import type { QueryMemory } from '../query/work/memory.ts';
import type { QueryStart } from './running-queries.ts';

/** One query from its request until its cursor is closed: who asked, for what, and how to end it. */
export interface QueryRequest {
  readonly token: bigint;
  readonly term: unknown;
  readonly options: GlobalOptions;
  readonly user: string;
  readonly client: QueryStart['client'];
  readonly memory: QueryMemory | undefined;
}

export class StartedQuery implements QueryOrigin, QueryStart {
  readonly token: bigint;
  readonly term: unknown;
  readonly options: GlobalOptions;
  /** Those of the options that are the connection's. */
  readonly own: SessionOptions;
  readonly user: string;
  readonly client: QueryStart['client'];
  readonly memory: QueryMemory | undefined;
  /** Made when something waits or aborts: most queries end before that. */
  #controller: AbortController | undefined;

  constructor({ token, term, options, user, client, memory }: QueryRequest) {
    this.token = token;
    this.term = term;
    this.options = options;
    this.own = readSessionOptions(options);
    this.user = user;
    this.client = client;
    this.memory = memory;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }
}
