/**
 * The outcome of the tasks of a reconcile, as the status reports it. Failures of the API server may be
 * transient; permanent ones are reported as such: a user has to act. Pure.
 */
import { reasons } from '../api/conditions.ts';
import type { KubeError } from '../kube/errors.ts';
import type { Outcome } from '../status/verdicts.ts';
import type { TaskResult } from './task-result.ts';

/** A restart of the API server takes less than this; a broken webhook lasts. */
const patienceMs = 60_000;

/** The caches lag behind the API server: the next look knows better. */
function isLag({ code }: KubeError): boolean {
  return code === 'kube.conflict' || code === 'kube.not_found';
}

/** Undefined when there is nothing to report yet. `failingMs` is how long each attempt has failed. */
export function outcomeOf(
  result: TaskResult,
  error: KubeError | undefined,
  failingMs: number,
): Outcome | undefined {
  if (result.type === 'fail') return result;
  if (error !== undefined) {
    const isLasting = failingMs > patienceMs;
    if (isLag(error) && !isLasting) return undefined;
    const reason = reasons.apiServerFails;
    const message = `the API server fails: ${error.message}; check it, and the webhooks that it calls`;
    return { type: isLasting ? 'fail' : 'wait', reason, message };
  }
  return result.type === 'retry' ? { type: 'wait', message: result.message } : result;
}

/** Since when every attempt at a cluster has failed. */
export class Failures {
  readonly #since = new Map<string, number>();

  /** Records an attempt, and returns how long attempts have failed. */
  note(key: string, hasFailed: boolean, nowMs: number): number {
    if (!hasFailed) {
      this.#since.delete(key);
      return 0;
    }
    const since = this.#since.get(key) ?? nowMs;
    this.#since.set(key, since);
    return nowMs - since;
  }
}
