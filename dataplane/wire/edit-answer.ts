import type { EditOutcome } from './table-edit.ts';

/** Bytes of documents in one answer: the old and the new one of a single edit, of 64 MiB each, always fit. */
export const answerDocumentsMax = 2 * 64 * 1_048_576;

/** UTF-8 has at most three bytes for a unit of a string. */
const unitBytesMax = 3;

/**
 * The outcomes as one message can carry them. How large the documents of an answer become, only the shard knows: an
 * update may turn small documents into large ones. What does not fit is left out, and says so.
 */
export function withinAnswer(
  outcomes: readonly EditOutcome[],
  bytesMax = answerDocumentsMax,
): readonly EditOutcome[] {
  let units = 0;
  for (const { old, new: next } of outcomes) units += (old?.length ?? 0) + (next?.length ?? 0);
  if (units * unitBytesMax <= bytesMax) return outcomes;
  let left = bytesMax;
  return outcomes.map((outcome) => {
    const bytes = bytesOf(outcome.old) + bytesOf(outcome.new);
    if (bytes > left) return withoutDocuments(outcome);
    left -= bytes;
    return outcome;
  });
}

const bytesOf = (text: string | undefined): number =>
  text === undefined ? 0 : Buffer.byteLength(text);

/** Without its version, too: what was returned has to be fetched again. */
function withoutDocuments({ result, error, damage }: EditOutcome): EditOutcome {
  return {
    result,
    isCut: true,
    ...(error === undefined ? {} : { error }),
    ...(damage === undefined ? {} : { damage }),
  };
}
