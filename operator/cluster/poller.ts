/**
 * Polls what the operator does not watch, and triggers reconciles of the clusters concerned: Secrets, which
 * the operator may only read by name, and the events of nodes that are not running.
 */
import type { Clock } from '../controller/clock.ts';
import { sleep } from '../controller/clock.ts';
import type { KubeClient } from '../kube/client.ts';
import { isKubeError } from '../kube/errors.ts';
import { resources } from '../kube/object.ts';

/** A Secret of a cluster as its last reconcile saw it. */
export interface ObservedSecret {
  readonly namespace: string;
  readonly name: string;
  /** Undefined when it was not there. */
  readonly version: string | undefined;
}

export interface PollerOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Clusters that do not serve as they should. */
  readonly unready: () => readonly string[];
  /** Has a cluster reconciled. */
  readonly wake: (key: string) => void;
}

/** A deleted Secret is noticed within this time. */
const roundMs = 3_000;

/** Between two reads: many clusters take longer, and do not crowd out the work. */
const gapMs = 50;

/** Rounds until clusters that are not ready are reconciled again. */
const unreadyRounds = 2;

export class Poller {
  readonly #options: PollerOptions;
  /** By the key of the cluster, then by the name of the Secret. */
  readonly #seen = new Map<string, Map<string, ObservedSecret>>();

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  /** Notes what a reconcile has seen of a Secret of a cluster. */
  observed(key: string, secret: ObservedSecret): void {
    const ofCluster = this.#seen.get(key) ?? new Map<string, ObservedSecret>();
    this.#seen.set(key, ofCluster);
    ofCluster.set(secret.name, secret);
  }

  forget(key: string): void {
    this.#seen.delete(key);
  }

  /** Until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, unready, wake } = this.#options;
    for (let round = 0; !signal.aborted; round = (round + 1) % unreadyRounds) {
      await sleep(clock, roundMs, signal);
      if (round === 0) for (const key of unready()) wake(key);
      await this.#lookAtSecrets(signal);
    }
  }

  async #lookAtSecrets(signal: AbortSignal): Promise<void> {
    const { clock, wake } = this.#options;
    for (const [key, secrets] of this.#seen) {
      for (const secret of secrets.values()) {
        if (signal.aborted) return;
        if (!(await this.#isSame(secret, signal))) wake(key);
        await sleep(clock, gapMs, signal);
      }
    }
  }

  async #isSame(secret: ObservedSecret, signal: AbortSignal): Promise<boolean> {
    try {
      const found = await this.#options.client.find(resources.secrets, secret, { signal });
      return found?.metadata.resourceVersion === secret.version;
    } catch (error) {
      // The next round may succeed; the reconcile reports the error.
      if (isKubeError(error)) return true;
      throw error;
    }
  }
}
