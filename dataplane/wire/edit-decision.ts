import { damagedVersion } from './table-edit.ts';
import type {
  Change,
  Edit,
  EditBasis,
  EditBatch,
  EditOutcome,
  EditResult,
  EditRun,
} from './table-edit.ts';
import type { TableFailure } from './table-failure.ts';

/** What becomes of one edit: one decision for every kind of table. */

/** The newest document of a key. */
export interface CurrentDocument {
  readonly text: string | undefined;
  readonly version: number;
  /** Of the shard now; 0 where nothing is ever withdrawn. */
  readonly generation: number;
  readonly isCommitted: boolean;
  /** There is one, and nobody can read it: why. */
  readonly damage?: string | undefined;
}

export type EditDecision =
  | { readonly type: 'write'; readonly result: EditResult; readonly text: string | undefined }
  | { readonly type: 'keep'; readonly result: EditResult }
  | { readonly type: 'failed'; readonly error: TableFailure }
  | { readonly type: 'returned' };

/** Whether an edit may stand in place of a document that cannot be read; any other edit of it fails. */
export function replacesDamage(change: Change): boolean {
  switch (change.type) {
    case 'insert':
      return change.conflict === 'replace';
    case 'replace':
    case 'delete':
      return true;
    case 'fetch':
      return change.replacesDamage;
    case 'compareAndSet':
      return change.expected.version === damagedVersion;
    default:
      return false;
  }
}

/** Whether an edit leaves nothing but less: it is not refused where only room is lacking. */
export const isDeletion = (change: Change): boolean =>
  change.type === 'delete' ||
  change.type === 'expire' ||
  change.type === 'fetch' ||
  (change.type === 'compareAndSet' && (change.document ?? undefined) === undefined);

const returned: EditDecision = { type: 'returned' };
const unchanged: EditDecision = { type: 'keep', result: 'unchanged' };
const skipped: EditDecision = { type: 'keep', result: 'skipped' };
const deleted: EditDecision = { type: 'write', result: 'deleted', text: undefined };

export function decideEdit(edit: Edit, current: CurrentDocument, run: EditRun): EditDecision {
  const { change } = edit;
  if (change.type === 'fetch') return returned;
  if (change.type === 'compareAndSet') {
    if (!isSame(change.expected, current)) return returned;
    if (change.document === undefined) return kept(current);
  }
  const evaluation = run.evaluate(edit, current.text);
  return evaluation.type === 'done'
    ? decided(evaluation.text, evaluation.isEqual, current)
    : evaluation;
}

/** The version of a committed document is never given out again, any other not within its generation. */
const isSame = (expected: EditBasis, { version, generation }: CurrentDocument): boolean =>
  expected.version === version && (expected.generation === 0 || expected.generation === generation);

const kept = ({ text }: CurrentDocument): EditDecision =>
  text === undefined ? skipped : unchanged;

function decided(
  text: string | undefined,
  isEqual: boolean,
  current: CurrentDocument,
): EditDecision {
  const { text: old, damage } = current;
  if (damage !== undefined)
    return text === undefined ? deleted : { type: 'write', result: 'replaced', text };
  if (text === old) return kept(current);
  if (text === undefined) return deleted;
  if (old === undefined) return { type: 'write', result: 'inserted', text };
  return { type: 'write', result: isEqual ? 'unchanged' : 'replaced', text };
}

/** Most outcomes say nothing but what happened. */

const plain = new Map<EditResult, EditOutcome>();
function plainOutcome(result: EditResult): EditOutcome {
  const known = plain.get(result);
  if (known !== undefined) return known;
  const made = Object.freeze({ result });
  plain.set(result, made);
  return made;
}

export function outcomeOf(
  decision: EditDecision,
  current: CurrentDocument,
  documents: EditBatch['documents'],
): EditOutcome {
  const { text: old, damage, version } = current;
  if (decision.type === 'returned') {
    const basis = { version, generation: current.isCommitted ? 0 : current.generation };
    return { result: 'returned', old, basis, ...(damage === undefined ? {} : { damage }) };
  }
  if (decision.type === 'failed') return failedOutcome(decision.error, old, documents);
  const { result } = decision;
  const hasMoved = damage !== undefined || (result !== 'unchanged' && result !== 'skipped');
  const isShown = documents === 'all' || (documents === 'changed' && hasMoved);
  if (!isShown && damage === undefined) return plainOutcome(result);
  const next = decision.type === 'keep' ? old : decision.text;
  return {
    result,
    ...(isShown ? { old, new: next } : {}),
    ...(damage === undefined ? {} : { damage }),
  };
}

/** The document stays as it is. */
export const failedOutcome = (
  error: TableFailure,
  old: string | undefined,
  documents: EditBatch['documents'],
): EditOutcome => ({
  result: 'failed',
  error,
  ...(documents === 'all' ? { old, new: old } : {}),
});
