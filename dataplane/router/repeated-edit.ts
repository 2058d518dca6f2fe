import { backoffMs } from '../common/backoff.ts';
import { OutcomeUnknownError } from '../replication/errors.ts';
import type { EditBatch, EditOutcome, EditSession } from '../wire/table-edit.ts';
import { TableError } from '../wire/table-failure.ts';
import { WriteOutcomeUnknownError } from './errors.ts';
import { backoff, retryBudgetMs } from './retry.ts';
import type { Retrying } from './retry.ts';

export interface EditAttempts extends Retrying {
  /** Of the shard, for sentences. */
  readonly name: string;
  readonly batch: EditBatch;
  readonly session: Omit<EditSession, 'isRepeated'>;
  /** One attempt. */
  edit(batch: EditBatch, signal: AbortSignal): Promise<readonly EditOutcome[]>;
}

interface Edited {
  readonly outcomes: readonly EditOutcome[];
  readonly wasRepeated: boolean;
}

const unknownCode = new OutcomeUnknownError().code;
/** What the next leader can answer. */
const openCodes: ReadonlySet<string> = new Set([unknownCode, 'replication.not_leader']);

const isOpen = ({ error }: EditOutcome): boolean =>
  error !== undefined && openCodes.has(error.code);

const isUnknown = (error: unknown): boolean =>
  error instanceof WriteOutcomeUnknownError ||
  error instanceof OutcomeUnknownError ||
  (error instanceof TableError && error.failure.code === unknownCode);

/**
 * Repeats a batch whose answer was lost: the shard knows by the session what it has carried out. Guarded invariant: after
 * an attempt with an unknown outcome, nothing but an answer of the shard says what became of the batch.
 */
export async function editRepeatedly(attempts: EditAttempts, signal: AbortSignal): Promise<Edited> {
  const first = await attempted(attempts, false, signal);
  signal.throwIfAborted();
  if (first.type === 'answered') return { ...first, wasRepeated: false };
  if (first.type === 'failed') throw first.error;
  return repeated(attempts, first.outcomes, signal);
}

/** Behind an attempt whose outcomes are unknown. */
async function repeated(
  attempts: EditAttempts,
  open: readonly EditOutcome[] | undefined,
  signal: AbortSignal,
): Promise<Edited> {
  const { clock, chance, name } = attempts;
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const late = (): void => over.abort(new WriteOutcomeUnknownError(name));
  const timer = clock.timer(retryBudgetMs, late);
  let known = open;
  try {
    for (let failures = 0; ; failures += 1) {
      await clock.sleep(backoffMs(backoff, failures, chance.next()), signal);
      if (over.signal.aborted) break;
      const attempt = await attempted(attempts, true, stop);
      signal.throwIfAborted();
      if (attempt.type === 'answered') return { ...attempt, wasRepeated: true };
      if (attempt.type === 'failed') break;
      known = attempt.outcomes ?? known;
    }
    if (known === undefined) throw new WriteOutcomeUnknownError(name);
    return { outcomes: known, wasRepeated: true };
  } finally {
    timer.cancel();
  }
}

type Attempt =
  | { readonly type: 'answered'; readonly outcomes: readonly EditOutcome[] }
  /** The outcomes of some edits, or of all, are unknown. */
  | { readonly type: 'open'; readonly outcomes?: readonly EditOutcome[] }
  | { readonly type: 'failed'; readonly error: unknown };

async function attempted(
  attempts: EditAttempts,
  isRepeated: boolean,
  signal: AbortSignal,
): Promise<Attempt> {
  try {
    const batch = { ...attempts.batch, session: { ...attempts.session, isRepeated } };
    const outcomes = await attempts.edit(batch, signal);
    return { type: outcomes.some(isOpen) ? 'open' : 'answered', outcomes };
  } catch (error) {
    return isUnknown(error) ? { type: 'open' } : { type: 'failed', error };
  }
}
