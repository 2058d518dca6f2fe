import { replacesDamage } from '../../wire/edit-decision.ts';
import type { Change, Edit, EditBatch, EditOutcome } from '../../wire/table-edit.ts';
import type { Context, TermCall } from '../compiled.ts';
import { whenDone } from '../maybe-async.ts';
import { bool, durability, obsolete, option, returnChanges } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { confirmed } from '../returned-edits.ts';
import type { EvaluateEdit } from '../returned-edits.ts';
import type { TableValue } from '../value.ts';
import { writeHookOf } from '../write-hook.ts';
import type { AppliedHook } from '../write-hook.ts';
import { WriteTally } from '../write-tally.ts';

/** What all writes have in common: their options, and how edits are sent and confirmed. */

export const writeOptions = {
  durability: option(
    durability,
    'Whether the write is on disk when it is answered; without it, as the table says.',
  ),
  return_changes: option(
    returnChanges,
    'Whether the answer has old and new documents; `"always"` those too that did not change.',
    false,
  ),
  ignore_write_hook: option(
    bool,
    'Whether the write passes by the write hook of the table.',
    false,
  ),
  return_vals: obsolete(
    'Error: encountered obsolete optarg `return_vals`.  Use `return_changes` instead.',
  ),
} as const;
export type WriteCall = TermCall<OptionValues<typeof writeOptions>>;

export interface Writing {
  readonly table: TableValue;
  readonly context: Context;
  readonly durability: 'hard' | 'soft';
  readonly documents: EditBatch['documents'];
  readonly hook: AppliedHook | undefined;
  readonly tally: WriteTally;
}

export function writing(table: TableValue, { options, context }: WriteCall): Writing {
  const info = context.environment.catalog.tableById(table.info.id) ?? table.info;
  const changes = options.return_changes;
  return {
    table,
    context,
    durability: options.durability ?? info.durability,
    hook: options.ignore_write_hook ? undefined : writeHookOf(info, context),
    documents: changes === 'always' ? 'all' : changes ? 'changed' : 'none',
    tally: new WriteTally(changes, context),
  };
}

/** Writes, and answers an outcome for each edit. */
export function committed(
  write: Writing,
  edits: readonly Edit[],
  evaluate: EvaluateEdit,
): Promise<readonly EditOutcome[]> {
  if (edits.length === 0) return Promise.resolve([]);
  const { hook, context, durability, documents, table } = write;
  const { nowMs, arrayLimit } = context;
  const { signal } = context.deadline;
  const send = (sent: readonly Edit[]): Promise<readonly EditOutcome[]> => {
    const batch: EditBatch = {
      edits: sent,
      durability,
      context: { nowMs, arrayLimit },
      hook: hook?.asData,
      documents,
    };
    return table.access.edit(batch, signal);
  };
  const isForQuery = hook !== undefined && hook.asData === undefined;
  const sent = isForQuery
    ? edits.map(({ key, change }) => ({ key, change: fetched(change) }))
    : edits;
  return send(sent).then((outcomes) => {
    // Most often there is none.
    if (!outcomes.some(({ result }) => result === 'returned')) return outcomes;
    const { primaryKey } = table.info;
    const returned = { primaryKey, context, send, evaluate: withHook(evaluate, hook) };
    return confirmed(edits, outcomes, returned);
  });
}

const fetched = (change: Change): Change => ({
  type: 'fetch',
  replacesDamage: replacesDamage(change),
});

const withHook = (evaluate: EvaluateEdit, hook: AppliedHook | undefined): EvaluateEdit =>
  hook === undefined
    ? evaluate
    : (position, old) => whenDone(evaluate(position, old), (next) => hook.apply(old, next));
