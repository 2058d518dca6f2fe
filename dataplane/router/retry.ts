import { backoffMs } from '../common/backoff.ts';
import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import { AnswerLostError, NotSentError } from './errors.ts';
import type { Operation } from './errors.ts';

/**
 * When a request to a shard is repeated. Guarded invariant: a write is repeated here only when it was certainly not
 * carried out (with a session `editRepeatedly` repeats others, too); whoever waits for it waits a bounded time.
 */
export const retryBudgetMs = 10_000;
export const backoff = { initialMs: 20, maximumMs: 500 } as const;

/** What a failed attempt says of the request. */
type Fault = 'notCarriedOut' | 'unknown' | 'final';

export const faultOf = (error: unknown): Fault => {
  if (error instanceof NotSentError) return 'notCarriedOut';
  return error instanceof AnswerLostError ? 'unknown' : 'final';
};

export type Step =
  | { readonly type: 'retry'; readonly afterMs: number }
  /** The failure is the answer. */
  | { readonly type: 'final' }
  | { readonly type: 'unknownOutcome' }
  | { readonly type: 'unavailable' };

export interface Attempt {
  readonly operation: Operation;
  readonly fault: Fault;
  /** Those that have failed before. */
  readonly failures: number;
  /** Since the first failure. */
  readonly elapsedMs: number;
  /** Another node was named: no reason to wait. */
  readonly hasHint: boolean;
  /** Uniform in [0, 1). */
  readonly random: number;
}

/** Hints may lead in a circle: after so many in a row there are pauses. */
const hintsMax = 4;

export function nextStep(attempt: Attempt): Step {
  const { operation, fault, failures, elapsedMs, hasHint, random } = attempt;
  if (fault === 'final') return { type: 'final' };
  if (fault === 'unknown' && operation === 'write') return { type: 'unknownOutcome' };
  if (elapsedMs >= retryBudgetMs) return { type: 'unavailable' };
  const afterMs = hasHint && failures < hintsMax ? 0 : backoffMs(backoff, failures, random);
  return {
    type: 'retry',
    afterMs: Math.min(afterMs, retryBudgetMs - elapsedMs),
  };
}

export interface Retrying {
  readonly clock: Pick<Clock, 'now' | 'sleep' | 'timer'>;
  readonly chance: Pick<Chance, 'next'>;
}
