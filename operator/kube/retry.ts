/**
 * Which failed request is sent again, and when. Only what cannot act twice is repeated: an
 * idempotent verb after any lost or failed answer, any verb when the server says that it did not
 * take the request (429). Pure.
 */
import type { KubeError } from './errors.ts';

/** With the delays below a call fails after about 4 s of waiting, plus its own time limits. */
export const attemptsMax = 5;

const delayFirstMs = 250;
const delayMaxMs = 4_000;

/** A server that asks for a longer pause is left alone: the caller's own queue waits better. */
const retryAfterMaxMs = 10_000;

/** The pause before the next attempt; undefined when the error is the answer. */
export function retryDelayMs(
  error: KubeError,
  at: { readonly attempt: number; readonly idempotent: boolean },
  random: () => number,
): number | undefined {
  const lost = error.code === 'kube.unavailable' || error.code === 'kube.timeout';
  const again = error.code === 'kube.throttled' || (lost && at.idempotent);
  if (!again || at.attempt >= attemptsMax) return undefined;
  if ((error.retryAfterMs ?? 0) > retryAfterMaxMs) return undefined;
  const backoffMs = Math.min(delayMaxMs, delayFirstMs * 2 ** (at.attempt - 1));
  const jitteredMs = backoffMs * (0.5 + random() / 2);
  return Math.max(jitteredMs, error.retryAfterMs ?? 0);
}
