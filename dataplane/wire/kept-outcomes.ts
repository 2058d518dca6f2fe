import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { noBytes } from '../common/bytes.ts';
import { editsMax, outcomeBytesMin, readOutcome, writeOutcome } from './edit-codec.ts';
import { TableMessageError } from './errors.ts';
import { countOf } from './table-fields.ts';
import type { EditOutcome } from './table-edit.ts';

/**
 * Outcomes as the log keeps them for a request that is repeated: runs of equal ones, each with its length. Of an edit
 * that was returned to the query the document is not kept: a repeated request gets the newest one.
 */
const runBytesMin = outcomeBytesMin + 4;
const returned: EditOutcome = { result: 'returned' };

/** Empty when they take more than `bytesMax`. */
export function encodeKeptOutcomes(outcomes: readonly EditOutcome[], bytesMax: number): Uint8Array {
  const runs: { count: number; readonly outcome: EditOutcome }[] = [];
  for (const each of outcomes) {
    const outcome = each.result === 'returned' ? returned : each;
    const last = runs.at(-1);
    // Outcomes without documents are shared.
    if (last?.outcome === outcome) last.count += 1;
    else runs.push({ count: 1, outcome });
  }
  const writer = new ByteWriter(64).u32(runs.length);
  for (const { count, outcome } of runs) {
    writeOutcome(writer.u32(count), outcome);
    if (writer.length > bytesMax) return noBytes;
  }
  return writer.finish();
}

/** Throws for bytes that are none. */
export function decodeKeptOutcomes(bytes: Uint8Array): EditOutcome[] {
  const reader = new ByteReader(bytes);
  const outcomes: EditOutcome[] = [];
  for (let left = countOf(reader, editsMax, runBytesMin); left > 0; left -= 1) {
    const count = reader.u32();
    if (outcomes.length + count > editsMax)
      throw new TableMessageError(`It has more than ${editsMax} outcomes.`);
    const outcome = readOutcome(reader);
    for (let times = count; times > 0; times -= 1) outcomes.push(outcome);
  }
  return outcomes;
}
