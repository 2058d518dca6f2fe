import type { DriverFigures, Drivers, WorkerFigures } from '../drivers.ts';
import { noFigures } from '../drivers.ts';
import { QueryMeasurements } from '../query-measurements.ts';
import { noCounts } from '../../driver-protocol/counters.ts';
import type { ProtocolCounters } from '../../driver-protocol/counters.ts';
import type { RunningQuery } from '../../query/node-report.ts';
import type { QueryWorker } from '../../workers/query-worker.ts';

/** The clients and queries of all query workers, as one. What an ended worker has counted stays counted. */
const counterNames = Object.keys(noCounts()) as (keyof ProtocolCounters)[];
const gauges = ['connections', 'running', 'openCursors', 'queuedBytes'] as const;

/** Longer than the slices of a query that cooperates; a worker that does not answer has its last figures. */
const answerMsMax = 250;

export interface WorkerPoolOptions {
  readonly workers: () => readonly QueryWorker[];
  readonly replaced: () => number;
  readonly port: () => number | undefined;
  readonly now: () => number;
  /** Aborts after so many milliseconds. */
  readonly within: (ms: number) => AbortSignal;
}

export class WorkerPool implements Drivers {
  readonly measurements: QueryMeasurements;
  readonly #options: WorkerPoolOptions;
  readonly #figures = new Map<QueryWorker, DriverFigures>();
  readonly #reads = { direct: 0, forwarded: 0 };
  /** Counters of workers that have ended. */
  #past = noCounts();

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.measurements = new QueryMeasurements(options.now);
  }

  get figures(): DriverFigures {
    const all = [...this.#figures.values()];
    const sum = (name: (typeof gauges)[number]): number =>
      all.reduce((total, one) => total + one[name], 0);
    return {
      connections: sum('connections'),
      running: sum('running'),
      openCursors: sum('openCursors'),
      queuedBytes: sum('queuedBytes'),
      counters: all.reduce<ProtocolCounters>(
        (total, one) => added(total, one.counters),
        this.#past,
      ),
    };
  }

  get workerFigures(): WorkerFigures {
    const { workers, replaced } = this.#options;
    const { direct, forwarded } = this.#reads;
    const reads = { directReads: direct, forwardedReads: forwarded };
    return { workers: workers().length, workersReplaced: replaced(), ...reads };
  }

  get port(): number | undefined {
    return this.#options.port();
  }

  /** Documents that workers have read themselves, and reads that they asked the core for instead. */
  read(direct: number, forwarded: number): void {
    this.#reads.direct += direct;
    this.#reads.forwarded += forwarded;
  }

  /** What a worker has answered when it was asked how it is. */
  report(worker: QueryWorker, answer: unknown): void {
    this.#figures.set(worker, figuresIn(answer));
  }

  ended(worker: QueryWorker): void {
    const last = this.#figures.get(worker);
    this.#figures.delete(worker);
    if (last !== undefined) this.#past = added(this.#past, last.counters);
  }

  async refresh(): Promise<void> {
    const answers = await this.#ask(['how']);
    for (const [worker, answer] of answers) if (worker.isServing) this.report(worker, answer);
  }

  async queries(): Promise<readonly RunningQuery[]> {
    const answers = await this.#ask(['queries']);
    return answers.flatMap(([, answer]) => (Array.isArray(answer) ? answer.map(queryIn) : []));
  }

  async cancelQuery(id: string): Promise<boolean> {
    const answers = await this.#ask(['cancel', id]);
    return answers.some(([, isFound]) => isFound === true);
  }

  /** The answers of those that answer in time. */
  async #ask(body: unknown): Promise<(readonly [QueryWorker, unknown])[]> {
    const signal = this.#options.within(answerMsMax);
    const answers = await Promise.allSettled(
      this.#options
        .workers()
        .map(async (worker) => [worker, await worker.channel.request(body, signal)] as const),
    );
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }
}

function added(a: Readonly<ProtocolCounters>, b: Readonly<ProtocolCounters>): ProtocolCounters {
  const sum = noCounts();
  for (const name of counterNames) sum[name] = a[name] + b[name];
  return sum;
}

/** The bytes come from another process: what is no count counts nothing. */
const countIn = (value: unknown): number =>
  typeof value === 'number' && value >= 0 ? Math.floor(value) : 0;

function figuresIn(answer: unknown): DriverFigures {
  const { figures } = (answer ?? {}) as { readonly figures?: Record<string, unknown> };
  if (typeof figures !== 'object' || figures === null) return noFigures();
  const given = (figures['counters'] ?? {}) as Record<string, unknown>;
  const counters = noCounts();
  for (const name of counterNames) counters[name] = countIn(given[name]);
  const [connections = 0, running = 0, openCursors = 0, queuedBytes = 0] = gauges.map((name) =>
    countIn(figures[name]),
  );
  return { connections, running, openCursors, queuedBytes, counters };
}

function queryIn(value: unknown): RunningQuery {
  const { id, runningMs, user, client, text } = (value ?? {}) as Record<string, unknown>;
  const { address, port } = (client ?? {}) as Record<string, unknown>;
  return {
    id: String(id),
    runningMs: Number(runningMs),
    user: String(user),
    client: { address: String(address), port: countIn(port) },
    text: String(text),
  };
}
