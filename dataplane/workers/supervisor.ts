import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import { RemoteFailure } from './errors.ts';
import { QueryWorker } from './query-worker.ts';
import type { QueryWorkerOptions, WorkerEnd } from './query-worker.ts';
import { RestartPolicy } from './supervision.ts';

export interface SupervisorOptions extends QueryWorkerOptions {
  readonly count: number;
  readonly clock: Pick<Clock, 'now' | 'timer' | 'sleep'>;
  readonly chance: Pick<Chance, 'next'>;
  /** A worker serves; `isFirst`: it replaces no other one. */
  readonly served: (worker: QueryWorker, isFirst: boolean) => void;
  /** A worker has ended and nobody wanted it to. */
  readonly lost: (end: WorkerEnd) => void;
}

/** Workers that end before they serve, at the start of the node. */
const startAttempts = 3;

/** The query workers of a node cannot be started. */
export class WorkerStartError extends PhotonError {
  override readonly code = 'workers.start';
}

/** Keeps a number of query workers running: one that ends is replaced until the supervisor stops. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #workers = new Set<QueryWorker>();
  readonly #stopping = new AbortController();
  #replaced = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** With those that do not serve yet. */
  get all(): readonly QueryWorker[] {
    return [...this.#workers].filter(({ channel }) => channel.isOpen);
  }

  /** Those that serve. */
  get workers(): readonly QueryWorker[] {
    return [...this.#workers].filter(({ isServing }) => isServing);
  }

  /** Workers that had to be replaced since the start. */
  get replaced(): number {
    return this.#replaced;
  }

  /** Resolves when all serve. */
  async start(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.count }, () => this.#first()));
  }

  /** Ends all workers, and resolves when they are gone. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the node is stopping'));
    const ends = [...this.#workers].map((worker) => {
      worker.terminate('the node is stopping');
      return worker.ended;
    });
    await Promise.all(ends);
  }

  /** No worker is replaced any more. */
  drain(): void {
    this.#stopping.abort(new Error('the node is stopping'));
  }

  async #first(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const worker = this.#launch();
      try {
        await worker.start();
        this.#options.served(worker, true);
        void this.#keep(worker);
        return;
      } catch (error) {
        worker.terminate((error as Error).message);
        const { how, lastWords } = await worker.ended;
        this.#stopping.signal.throwIfAborted();
        if (error instanceof RemoteFailure) throw error;
        if (attempt === startAttempts)
          throw new WorkerStartError(`A query worker does not start: ${how}. ${lastWords}`);
      }
    }
  }

  #launch(): QueryWorker {
    const worker = new QueryWorker(this.#options);
    this.#workers.add(worker);
    void worker.ended.then(() => this.#workers.delete(worker));
    return worker;
  }

  /** Replaces a worker, and what replaces it, until the node stops. */
  async #keep(first: QueryWorker): Promise<void> {
    const { chance, clock, lost } = this.#options;
    const { signal } = this.#stopping;
    const policy = new RestartPolicy();
    let worker = first;
    for (;;) {
      const end = await worker.ended;
      if (signal.aborted) return;
      this.#replaced += 1;
      lost(end);
      const waitMs = policy.afterEnd(end.hasServed, chance.next());
      const isStopped = await clock.sleep(waitMs, signal).then(
        () => false,
        () => true,
      );
      if (isStopped) return;
      worker = this.#launch();
      void this.#begin(worker);
    }
  }

  async #begin(worker: QueryWorker): Promise<void> {
    try {
      await worker.start();
      this.#options.served(worker, false);
    } catch (error) {
      worker.terminate((error as Error).message);
    }
  }
}
