/**
 * One leader among the replicas. The leader renews its lease; when it could not for
 * `renewDeadlineMs` it stops leading, which is before the others may take over
 * (`leaseDurationMs`). It gives the lease back only after its work has ended.
 */
import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import { sleep } from './clock.ts';
import type { Lease, ObservedLease, LeaseSpec } from './lease.ts';
import { decideLease, releasedLease, observeLease } from './lease.ts';

/** Storage of the lease. Writes fail after a concurrent write. */
export interface LeaseStore {
  read(signal: AbortSignal): Promise<Lease | undefined>;
  create(spec: LeaseSpec, signal: AbortSignal): Promise<Lease>;
  update(resourceVersion: string, spec: LeaseSpec, signal: AbortSignal): Promise<Lease>;
}

export type LeaderObservation =
  | { readonly type: 'waiting'; readonly holder: string }
  | { readonly type: 'leading' }
  | { readonly type: 'lost' }
  | { readonly type: 'released' }
  | { readonly type: 'failed'; readonly error: unknown };

export interface LeaderElectionOptions {
  readonly store: LeaseStore;
  /** Unique to this process: a restarted container must not take itself for its predecessor. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
  readonly observe?: (observation: LeaderObservation) => void;
}

/** How long the lease's release may take at the end; the process is about to exit. */
const releaseMs = 2_000;

interface Timings {
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
}

/** A signal that is aborted with the outer one or after a time. */
function limited(
  clock: Clock,
  outer: AbortSignal,
  delayMs: number,
): {
  readonly signal: AbortSignal;
  readonly stop: () => void;
} {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const cancel = clock.after(delayMs, abort);
  outer.addEventListener('abort', abort, { once: true });
  if (outer.aborted) abort();
  const stop = (): void => {
    cancel();
    outer.removeEventListener('abort', abort);
  };
  return { signal: controller.signal, stop };
}

export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #timings: Timings;
  #lease: Lease | undefined;
  #observed: ObservedLease | undefined;
  #holder = '';
  #renewedAt: number | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options;
    if (leaseDurationMs <= renewDeadlineMs || renewDeadlineMs <= retryPeriodMs) {
      throw new Error('a lease must outlast its renewal, and the renewal a retry');
    }
    this.#timings = { leaseDurationMs, renewDeadlineMs, retryPeriodMs };
  }

  /**
   * Whether this process leads now, by its clock alone: false as soon as the renewal deadline has
   * passed, even when the timers of a stalled process have not fired yet.
   */
  get isLeader(): boolean {
    if (this.#renewedAt === undefined) return false;
    return this.#options.clock.now() - this.#renewedAt < this.#timings.renewDeadlineMs;
  }

  /** The holder of the lease when it was last read; empty if there was none. */
  get holder(): string {
    return this.#holder;
  }

  /**
   * Waits for leadership, then runs `lead` until the outer signal is aborted ('stopped') or the
   * lease is lost ('lost'). In both cases lead's signal is aborted and its end awaited; when it
   * ends or fails on its own, the lease is released, too.
   */
  async run(
    lead: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<'stopped' | 'lost'> {
    if (!(await this.#acquire(signal))) return 'stopped';
    this.#observe({ type: 'leading' });
    const leading = new AbortController();
    const abort = (): void => leading.abort();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const renewing = this.#renew(leading);
    let isLost = false;
    try {
      await lead(leading.signal);
    } finally {
      signal.removeEventListener('abort', abort);
      leading.abort();
      isLost = await renewing;
      if (isLost) this.#observe({ type: 'lost' });
      else await this.#release();
      this.#renewedAt = undefined;
    }
    return isLost ? 'lost' : 'stopped';
  }

  /** True when this process leads; false when the signal was aborted. */
  async #acquire(signal: AbortSignal): Promise<boolean> {
    const { clock, random } = this.#options;
    const { retryPeriodMs, renewDeadlineMs } = this.#timings;
    let failures = 0;
    while (!signal.aborted) {
      const attempt = limited(clock, signal, renewDeadlineMs);
      try {
        if (await this.#tryOnce(attempt.signal)) return true;
        failures = 0;
      } catch (error) {
        if (signal.aborted) return false;
        failures += 1;
        this.#observe({ type: 'failed', error });
      } finally {
        attempt.stop();
      }
      const limits = { firstMs: retryPeriodMs * 1.2, maxMs: retryPeriodMs * 4 };
      await sleep(clock, backoffMs(limits, failures, random), signal);
    }
    return false;
  }

  /** Renews until the signal is aborted (false), or the lease is lost (true; aborts the signal). */
  async #renew(leading: AbortController): Promise<boolean> {
    const { clock } = this.#options;
    const { retryPeriodMs, renewDeadlineMs } = this.#timings;
    const leftMs = (): number => (this.#renewedAt ?? 0) + renewDeadlineMs - clock.now();
    for (;;) {
      await sleep(clock, Math.max(0, Math.min(retryPeriodMs, leftMs())), leading.signal);
      if (leading.signal.aborted) return false;
      if (leftMs() <= 0 || !(await this.#tryToKeep(leading.signal, leftMs()))) {
        this.#renewedAt = undefined;
        leading.abort();
        return true;
      }
    }
  }

  /** False when the lease is another's; a failed attempt is no answer, and the lease still ours. */
  async #tryToKeep(signal: AbortSignal, leftMs: number): Promise<boolean> {
    const { retryPeriodMs } = this.#timings;
    // Half of what is left, so that one hanging request does not cost the leadership.
    const limitMs = Math.min(leftMs, Math.max(retryPeriodMs, leftMs / 2));
    const attempt = limited(this.#options.clock, signal, limitMs);
    try {
      return await this.#tryOnce(attempt.signal);
    } catch (error) {
      if (!signal.aborted) this.#observe({ type: 'failed', error });
      return true;
    } finally {
      attempt.stop();
    }
  }

  /** True when the lease is ours now; false when it is another's. */
  async #tryOnce(signal: AbortSignal): Promise<boolean> {
    const { store, clock, identity } = this.#options;
    const startedAt = clock.now();
    // A leader uses its cached lease; when the write conflicts, it reads the lease again.
    this.#lease = (this.isLeader ? this.#lease : undefined) ?? (await store.read(signal));
    this.#observed = observeLease(this.#lease, this.#observed, clock.now());
    const decision = decideLease(this.#lease, this.#observed, {
      identity,
      leaseDurationMs: this.#timings.leaseDurationMs,
      nowMs: clock.now(),
      wallMs: clock.wallMs(),
    });
    if (decision.type === 'wait') {
      if (this.#holder !== decision.holder)
        this.#observe({ type: 'waiting', holder: decision.holder });
      this.#holder = decision.holder;
      return false;
    }
    const read = this.#lease;
    this.#lease = undefined;
    this.#lease =
      read === undefined
        ? await store.create(decision.spec, signal)
        : await store.update(read.resourceVersion, decision.spec, signal);
    this.#observed = observeLease(this.#lease, this.#observed, clock.now());
    this.#holder = identity;
    // From the start of the request: the others count from when they see its effect, later.
    this.#renewedAt = startedAt;
    return true;
  }

  async #release(): Promise<void> {
    const { store, clock, identity } = this.#options;
    const attempt = limited(clock, new AbortController().signal, releaseMs);
    try {
      const lease = this.#lease ?? (await store.read(attempt.signal));
      if (lease?.spec.holderIdentity !== identity) return;
      const spec = releasedLease(lease.spec, clock.wallMs());
      await store.update(lease.resourceVersion, spec, attempt.signal);
      this.#holder = '';
      this.#observe({ type: 'released' });
    } catch (error) {
      this.#observe({ type: 'failed', error });
    } finally {
      attempt.stop();
    }
  }

  #observe(observation: LeaderObservation): void {
    this.#options.observe?.(observation);
  }
}
