/** The queries that run now on all connections: the table `jobs` lists them, and ends one. */
export interface QueryStart {
  readonly user: string;
  readonly client: { readonly address: string; readonly port: number };
  readonly term: unknown;
  /** Ends the query with this error. */
  readonly abort: (reason: Error) => void;
}

/** Called with the term of each query that has its first answer, or an error, and how long it took. */
export type AnsweredQuery = (term: unknown, elapsedMs: number) => void;

interface Entry {
  readonly query: QueryStart;
  readonly startedAtMs: number;
  id: string | undefined;
}

export interface ListedQuery extends Omit<QueryStart, 'abort'> {
  readonly id: string;
  readonly runningMs: number;
}

export class RunningQueries {
  readonly #entries = new Set<Entry>();
  readonly #now: () => number;
  readonly #uuid: () => string;
  readonly #answered: AnsweredQuery | undefined;

  constructor(parts: {
    readonly now: () => number;
    readonly uuid: () => string;
    readonly answered?: AnsweredQuery | undefined;
  }) {
    this.#now = parts.now;
    this.#uuid = parts.uuid;
    this.#answered = parts.answered;
  }

  /** Answers what is called at the end of the query. */
  begin(query: QueryStart): () => void {
    const entry = { query, startedAtMs: this.#now(), id: undefined };
    this.#entries.add(entry);
    return () => {
      if (!this.#entries.delete(entry)) return;
      this.#answered?.(query.term, this.#now() - entry.startedAtMs);
    };
  }

  list(): ListedQuery[] {
    const now = this.#now();
    return [...this.#entries].map((entry) => {
      // Most queries end before anybody looks: only who is listed gets an id.
      entry.id ??= this.#uuid();
      const { id, startedAtMs } = entry;
      const { user, client, term } = entry.query;
      return { id, user, client, term, runningMs: now - startedAtMs };
    });
  }

  /** The terms of those that run for the longest time. */
  longest(count: number): readonly unknown[] {
    return [...this.#entries].slice(0, count).map(({ query }) => query.term);
  }

  /** Whether such a query runs. */
  cancel(id: string, reason: Error): boolean {
    const found = [...this.#entries].find((entry) => entry.id === id);
    found?.query.abort(reason);
    return found !== undefined;
  }
}
