import { compareDatum } from '../datum/compare.ts';
import type { Datum } from '../datum/datum.ts';
import { documentText } from '../datum/document.ts';
import { parseText } from '../datum/text.ts';
import type { Change, DocumentText, Edit, EditOutcome } from '../wire/table-edit.ts';
import { failureOf } from '../wire/table-failure.ts';
import type { TableFailure } from '../wire/table-failure.ts';
import type { Context } from './compiled.ts';
import { batchLengthMax, lengthOf } from './edit-batches.ts';

/**
 * Edits that a shard returned with their documents: the query evaluates them, and writes what comes of it if the
 * document is still the same. Guarded invariant: an outcome rests on a document that was the newest one when the
 * shard confirmed it, errors included.
 */

/** How the query evaluates its edits: what the one at a position makes of a document, null for none. */
export type EvaluateEdit = (position: number, old: Datum) => Datum | Promise<Datum>;

/** How often a document may change while its next one is evaluated. */
const editAttemptsMax = 100;

export interface ReturnedEdits {
  readonly primaryKey: string;
  readonly context: Context;
  readonly evaluate: EvaluateEdit;
  /** Sends edits to the shards, as those before. */
  send(edits: readonly Edit[]): Promise<readonly EditOutcome[]>;
}

/** What the query made of a document. */
interface Result {
  readonly document: DocumentText | null | undefined;
  /** Though its text differs, it counts as unchanged. */
  readonly isEqual: boolean;
  readonly error?: TableFailure;
}

/** The outcomes of all edits: those that were returned are evaluated until they are confirmed. */
export async function confirmed(
  edits: readonly Edit[],
  outcomes: readonly EditOutcome[],
  by: ReturnedEdits,
): Promise<readonly EditOutcome[]> {
  const all = [...outcomes];
  const positions = [...all.keys()].filter((at) => all[at]?.result === 'returned');
  // Together at first; those that lost a race alone, so that little time passes between reading and writing.
  await attempt(edits, all, positions, by);
  for (const at of positions) {
    for (let count = 1; all[at]?.result === 'returned' && count < editAttemptsMax; count += 1)
      await attempt(edits, all, [at], by);
    if (all[at]?.result === 'returned') all[at] = { result: 'failed', error: contended };
  }
  return all;
}

const contended: TableFailure = {
  code: 'query.contended',
  message: `The document changed ${editAttemptsMax} times while its new value was evaluated: others write it too often. Run the query again, or use a function that the table can evaluate itself (deterministic, without reading other tables, and with less work).`,
};

/** Evaluates, and writes what is evaluated before there is too much of it. */
async function attempt(
  edits: readonly Edit[],
  outcomes: EditOutcome[],
  positions: readonly number[],
  by: ReturnedEdits,
): Promise<void> {
  let evaluated: Evaluated[] = [];
  let length = 0;
  const write = async (): Promise<void> => {
    const sent = evaluated.map(({ edit }) => edit);
    for (const [number, outcome] of (await by.send(sent)).entries()) {
      const { at, result } = evaluated[number] as Evaluated;
      outcomes[at] = judged(outcome, result);
    }
    [evaluated, length] = [[], 0];
  };
  for (const at of positions) {
    const edit = edits[at] as Edit;
    if (outcomes[at]?.isCut === true) [outcomes[at]] = (await by.send([edit])) as [EditOutcome];
    const outcome = outcomes[at];
    if (outcome?.result !== 'returned') continue;
    const result = await resultOf(edit, at, outcome.old, by);
    const change: Change = {
      type: 'compareAndSet',
      expected: outcome.basis ?? noDocument,
      document: result.document,
    };
    evaluated.push({ at, result, edit: { key: edit.key, change } });
    length += lengthOf(change);
    if (length > batchLengthMax) await write();
  }
  if (evaluated.length > 0) await write();
}

/** An edit that was returned, with what the query made of it. */
interface Evaluated {
  readonly at: number;
  readonly result: Result;
  readonly edit: Edit;
}

const noDocument = { version: 0, generation: 0 };

function judged(outcome: EditOutcome, { error, isEqual }: Result): EditOutcome {
  if (outcome.result === 'returned' || outcome.result === 'failed') return outcome;
  if (error !== undefined) return { ...outcome, result: 'failed', error };
  return isEqual ? { ...outcome, result: 'unchanged' } : outcome;
}

async function resultOf(
  { key }: Edit,
  position: number,
  oldText: string | undefined,
  { primaryKey, context, evaluate }: ReturnedEdits,
): Promise<Result> {
  if (context.work?.isDue === true) await context.work.pause();
  try {
    const old = oldText === undefined ? null : parseText(oldText);
    const next = await evaluate(position, old);
    if (next === old) return { document: undefined, isEqual: false };
    if (next === null) return { document: null, isEqual: false };
    const text = documentText(next, { key, primaryKey, old });
    if (text === oldText) return { document: undefined, isEqual: false };
    const isEqual = old !== null && compareDatum(old, next) === 0;
    return { document: { text, isChecked: true }, isEqual };
  } catch (error) {
    context.deadline.signal.throwIfAborted();
    return { document: undefined, isEqual: false, error: failureOf(error) };
  }
}
