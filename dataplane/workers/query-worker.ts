import type { Clock } from '../common/clock.ts';
import { Channel } from './channel.ts';
import type { ChannelLimits, ServedRequest } from './channel.ts';
import { WorkerProcess } from './worker-process.ts';
import { WorkerWatch } from './supervision.ts';
import type { WatchLimits } from './supervision.ts';

/**
 * One query worker as the core sees it, from its start to its end: process, channel and watch. Guarded invariant: it
 * ends exactly once, and nothing of it is left then.
 */
export interface WorkerService {
  /** Works on a request of the worker. */
  serve(body: unknown, request: ServedRequest): unknown;
  noticed(body: unknown): void;
  /** The worker is gone: what was kept for it can be released. */
  ended(): void;
}

/** What a worker leaves behind: the last queries that it took, the newest first. */
export interface WorkerRecorder {
  readonly descriptor: number;
  read(): readonly string[];
  close(): void;
}

export interface WorkerEnd {
  readonly pid: number | undefined;
  readonly hasServed: boolean;
  /** Why the core has terminated it; undefined when it ended otherwise. */
  readonly reason: string | undefined;
  readonly how: string;
  readonly lastWords: string;
  /** What it answered last when it was asked how it is. */
  readonly lastReport: unknown;
  readonly lastQueries: readonly string[];
}

export interface QueryWorkerOptions {
  readonly entry: string;
  readonly args: readonly string[];
  readonly listenDescriptor: number;
  readonly heapMebibytesMax: number;
  readonly watch: WatchLimits;
  readonly limits: ChannelLimits;
  /** Of a new worker, which inherits its descriptor; undefined when there cannot be one. */
  readonly recorder: () => WorkerRecorder | undefined;
  /** That it inherits behind that of its recorder. */
  readonly descriptors: readonly (number | 'ignore')[];
  /** From the start of the process until it serves. */
  readonly startMsMax: number;
  readonly clock: Pick<Clock, 'now' | 'timer'>;
  readonly defer: (flush: () => void) => void;
  readonly failureOf: (error: unknown) => unknown;
  readonly serviceOf: (worker: QueryWorker) => WorkerService;
  /** The first request: what the worker needs to know. */
  readonly welcome: () => unknown;
  /** Asks the worker how it is; it answers in every turn of its event loop. */
  readonly question: unknown;
  readonly reported: (worker: QueryWorker, answer: unknown) => void;
}

export class QueryWorker {
  readonly channel: Channel;
  readonly #options: QueryWorkerOptions;
  readonly #process: WorkerProcess;
  readonly #service: WorkerService;
  readonly #recorder: WorkerRecorder | undefined;
  readonly #watch: WorkerWatch;
  readonly #startedAt: number;
  readonly #ended = Promise.withResolvers<WorkerEnd>();
  #hasServed = false;
  #isAsked = false;
  #lastReport: unknown;
  #reason: string | undefined;

  constructor(options: QueryWorkerOptions) {
    const { clock, watch, limits, defer, failureOf } = options;
    this.#options = options;
    this.#startedAt = clock.now();
    this.#watch = new WorkerWatch(watch, this.#startedAt);
    this.#recorder = options.recorder();
    this.#process = new WorkerProcess({
      entry: options.entry,
      args: options.args,
      listenDescriptor: options.listenDescriptor,
      descriptors: [this.#recorder?.descriptor ?? 'ignore', ...options.descriptors],
      heapMebibytesMax: options.heapMebibytesMax,
      received: (chunk) => this.channel.received(chunk),
      drained: () => this.channel.drained(),
      ended: (how, lastWords) => this.#end(how, lastWords),
    });
    this.channel = new Channel({
      pipe: this.#process.pipe,
      limits,
      defer,
      failureOf,
      serve: (body, request) => this.#service.serve(body, request),
      noticed: (body) => this.#service.noticed(body),
      ended: (error) => this.terminate(error.message),
    });
    this.#service = options.serviceOf(this);
    this.#look();
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** It accepts connections. */
  get isServing(): boolean {
    return this.#hasServed && this.channel.isOpen;
  }

  get ended(): Promise<WorkerEnd> {
    return this.#ended.promise;
  }

  /** Resolves when it serves; rejects with a RemoteFailure when it says why it cannot. */
  async start(): Promise<void> {
    await this.channel.request(this.#options.welcome());
    this.#hasServed = true;
    this.#watch.heard();
  }

  terminate(reason: string): void {
    this.#reason ??= reason;
    this.#process.kill();
  }

  #look(): void {
    if (this.#reason !== undefined) return;
    const { clock, watch, startMsMax } = this.#options;
    const now = clock.now();
    const verdict = this.#watch.look(now, this.#process.ownBytes());
    if (verdict.type === 'memory')
      return this.terminate(
        `it uses ${mebibytes(verdict.ownBytes)} MiB of memory, of ${mebibytes(watch.ownBytesMax)} at most`,
      );
    if (this.#hasServed && verdict.type === 'silent')
      return this.terminate(`it has not answered for ${Math.round(verdict.silentMs / 1_000)} s`);
    if (!this.#hasServed && now - this.#startedAt > startMsMax)
      return this.terminate(`it did not serve within ${startMsMax / 1_000} s of its start`);
    if (this.#hasServed) void this.#ask();
    clock.timer(watch.periodMs, () => this.#look());
    return undefined;
  }

  async #ask(): Promise<void> {
    if (this.#isAsked) return;
    this.#isAsked = true;
    try {
      this.#lastReport = await this.channel.request(this.#options.question);
      this.#watch.heard();
      this.#options.reported(this, this.#lastReport);
    } catch {
      // Not heard: the watch finds out.
    }
    this.#isAsked = false;
  }

  #end(how: string, lastWords: string): void {
    const reason = this.#reason;
    this.#reason ??= how;
    this.channel.lost();
    this.#service.ended();
    const lastQueries = this.#recorder?.read() ?? [];
    this.#recorder?.close();
    this.#ended.resolve({
      pid: this.pid,
      hasServed: this.#hasServed,
      lastReport: this.#lastReport,
      lastQueries,
      reason,
      how,
      lastWords,
    });
  }
}

const mebibytes = (bytes: number): number => Math.round(bytes / 1_048_576);
