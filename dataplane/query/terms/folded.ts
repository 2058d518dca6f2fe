import type { Datum } from '../../datum/datum.ts';
import { parseText } from '../../datum/text.ts';
import type { ScanFold } from '../../wire/pushed-scan.ts';
import type { Context } from '../compiled.ts';
import { StoredRow } from '../item.ts';
import type { Item } from '../item.ts';
import { leftRows, planOf } from '../scan-plan.ts';
import type { ScanPlan } from '../scan-plan.ts';
import { batchesOf } from '../stream.ts';
import { StreamValue } from '../value.ts';
import type { Value } from '../value.ts';
import { eachIn } from './sequence-tools.ts';

/** One value of a sequence, parts of which the shards may have made already. */
export interface Folding {
  readonly add: (item: Item) => unknown;
  /** As data; undefined when only the query can evaluate it. */
  readonly fold: (() => ScanFold | undefined) | undefined;
  /** What a shard has made of its items, in place of them. */
  readonly merge: (state: Datum) => unknown;
}

export function eachFolded(
  value: Value,
  context: Context,
  folding: Folding,
): undefined | Promise<void> {
  const plan = folding.fold === undefined ? undefined : planOf(value);
  const fold = plan === undefined ? undefined : folding.fold?.();
  return plan === undefined || fold === undefined
    ? eachIn(value, context, folding.add)
    : eachPart(plan, fold, context, folding);
}

async function eachPart(
  plan: ScanPlan,
  fold: ScanFold,
  context: Context,
  { add, merge }: Folding,
): Promise<void> {
  for await (const batch of batchesOf(plan.parts(fold, context), context)) {
    for (let at = 0; at < batch.length;) {
      const rows = leftRows(batch, at);
      at += rows.length;
      if (rows.length > 0) await eachIn(new StreamValue(plan.evaluated(rows)), context, add);
      else for (const text of statesOf(batch[at++])) await merge(parseText(text));
    }
  }
}

const statesOf = (part: Item | undefined): readonly string[] =>
  part instanceof StoredRow && Array.isArray(part.made) ? (part.made as readonly string[]) : [];
