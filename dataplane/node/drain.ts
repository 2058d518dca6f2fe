import type { Clock } from '../common/clock.ts';

/** What a drain needs of its node. */
export interface DrainParts {
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  /** For running queries. */
  readonly graceMs: number;
  /** Tells probes and other nodes. */
  announce(isDraining: boolean): void;
  handOver(signal: AbortSignal): Promise<void>;
  /** Groups that this node leads. */
  led(): number;
  clients(): Promise<Clients>;
}

interface Clients {
  /** Queries that have no answer yet. */
  readonly running: number;
  readonly connections: number;
}

type DrainPhase = 'serving' | 'draining' | 'drained';

export interface DrainReport extends Clients {
  readonly phase: DrainPhase;
  readonly led: number;
}

const lookEveryMs = 100;

/**
 * The drain of a node, ordered by an administrator or by the end of its process: it says that it is not ready, takes no
 * new clients, hands its leadership over, and waits for running queries for a bounded time. Clients that are connected
 * stay: what they ask is answered, by other nodes where these lead. An administrator may end it; the end of the process
 * follows it.
 */
export class Drain {
  readonly #parts: DrainParts;
  #phase: DrainPhase = 'serving';
  #ending = new AbortController();
  #ended: Promise<void> = Promise.resolve();

  constructor(parts: DrainParts) {
    this.#parts = parts;
  }

  /** No new client is served. */
  get isActive(): boolean {
    return this.#phase !== 'serving';
  }

  /** Resolves when the node is drained, or its drain was ended. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** A drain that is under way, or has ended, is not begun again. */
  begin(): void {
    if (this.#phase !== 'serving') return;
    this.#phase = 'draining';
    this.#ending = new AbortController();
    this.#parts.announce(true);
    this.#ended = this.#run(this.#ending.signal);
  }

  /** The node serves again. */
  end(): void {
    if (this.#phase === 'serving') return;
    this.#phase = 'serving';
    this.#ending.abort(new Error('the drain was ended'));
    this.#parts.announce(false);
  }

  async report(): Promise<DrainReport> {
    const { running, connections } = await this.#parts.clients();
    return { phase: this.#phase, running, connections, led: this.#parts.led() };
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, graceMs } = this.#parts;
    const until = clock.now() + graceMs;
    try {
      await this.#parts.handOver(signal);
      while (clock.now() < until && (await this.#isBusy())) await clock.sleep(lookEveryMs, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    if (!signal.aborted) this.#phase = 'drained';
  }

  async #isBusy(): Promise<boolean> {
    const { running } = await this.#parts.clients();
    return running > 0;
  }
}
