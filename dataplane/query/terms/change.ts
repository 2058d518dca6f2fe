import type { Datum } from '../../datum/datum.ts';
import type { Change, Edit, EditValue } from '../../wire/table-edit.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import { determinism } from '../determinism.ts';
import { replaced, storable, updated } from '../document-change.ts';
import { lengthOf, roomyBatches } from '../edit-batches.ts';
import { logic } from '../failure.ts';
import { StoredRow } from '../item.ts';
import { whenDone } from '../maybe-async.ts';
import { bool, define, inert, option } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { termFunctionOf } from '../term-function.ts';
import { Term } from '../term-table.ts';
import { textOfValue } from '../value-text.ts';
import { wrongValue } from '../value-reading.ts';
import { FunctionValue, RowValue } from '../value.ts';
import type { Value } from '../value.ts';
import { checkArity, eachIn, tableOf } from './sequence-tools.ts';
import { committed, writeOptions, writing } from './writing.ts';
import type { WriteCall } from './writing.ts';

/** `update`, `replace` and `delete`: one document or every document of a selection. */

const changeOptions = {
  ...writeOptions,
  non_atomic: option(
    bool,
    'Whether the new document may depend on more than the old one, as on other tables or on chance.',
    false,
  ),
} as const;
const deleteOptions = {
  ...writeOptions,
  non_atomic: inert(bool, 'As that of `UPDATE`. A deletion depends on nothing.'),
} as const;

type ChangeCall = TermCall<OptionValues<typeof changeOptions>>;

/** The change of each document of a selection, and how the query evaluates it. */
interface ChangeOfAll {
  readonly change: Change;
  readonly evaluate: (old: Datum) => Datum | Promise<Datum>;
}

/** Of a key in memory, beside its bytes. */
const keyBytes = 128;

/** A document of a selection. */
interface Selected {
  readonly key: Uint8Array;
  /** Of its text. */
  readonly length: number;
}

async function selectedOf(target: Value, context: Context): Promise<readonly Selected[]> {
  const selected: Selected[] = [];
  await eachIn(target, context, (item) => {
    if (!(item instanceof StoredRow)) return;
    const { key, text } = item;
    context.work?.memory.charge(keyBytes + key.byteLength);
    selected.push({ key, length: text.length });
  });
  return selected;
}

/** One document or every document of a selection, through the same change. */
function overSelection(call: WriteCall, { change, evaluate }: ChangeOfAll): Promise<Value> {
  const [target = null] = call.args;
  const table = target instanceof RowValue ? target.table : tableOf(target);
  if (table === undefined) throw wrongValue('SELECTION', target);
  const write = writing(table, call);
  // Each of the new documents may have it all.
  const changeLength = lengthOf(change);
  const commit = (keys: readonly Uint8Array[]): Promise<void> => {
    const edits = keys.map((key): Edit => ({ key, change }));
    return committed(write, edits, (_, old) => evaluate(old)).then((outcomes) => {
      for (const outcome of outcomes) write.tally.count(outcome);
    });
  };
  const done =
    target instanceof RowValue
      ? commit([target.key])
      : overRows(target, call.context, { changeLength, commit });
  return done.then(() => write.tally.summary());
}

interface Commit {
  /** Of the change, which all edits share. */
  readonly changeLength: number;
  readonly commit: (keys: readonly Uint8Array[]) => Promise<void>;
}

async function overRows(
  target: Value,
  context: Context,
  { changeLength, commit }: Commit,
): Promise<void> {
  // Read to the end before the first write: a selection must not meet its own changes.
  const selected = await selectedOf(target, context);
  for (const batch of roomyBatches(selected, ({ length }) => length + changeLength)) {
    context.deadline.signal.throwIfAborted();
    await commit(batch.map(({ key }) => key));
  }
}

/** What `update` or `replace` computes for a document. */
interface Computed {
  readonly evaluate: (old: Datum) => Datum | Promise<Datum>;
  /** Undefined when only the query can evaluate it. */
  readonly asData: EditValue | undefined;
  readonly primaryKey: string;
}

function changeBy(call: ChangeCall): Computed | Promise<Computed> {
  const [target = null, by = null] = call.args;
  const table = target instanceof RowValue ? target.table : tableOf(target);
  if (table === undefined) throw wrongValue('SELECTION', target);
  if (call.determinism[1] === determinism.never && !call.options.non_atomic) {
    throw logic(
      'Could not prove argument deterministic.  Maybe you want to use the non_atomic flag?',
    );
  }
  const { primaryKey } = table.info;
  if (!(by instanceof FunctionValue)) return { ...constantChange(by), primaryKey };
  checkArity(by, 1);
  // What stands in place of a function is the same for all documents; a failure is one of each document.
  return whenDone(orUndefined(by.constant), (constant) => {
    if (constant !== undefined && !(constant instanceof FunctionValue))
      return { ...constantChange(constant), primaryKey };
    return {
      evaluate: (old: Datum) => whenDone(by.call([old]), storable),
      asData: termFunctionOf(constant ?? by, call.context),
      primaryKey,
    };
  });
}

function orUndefined(
  compute: FunctionValue['constant'],
): Value | undefined | Promise<Value | undefined> {
  try {
    const value = compute?.();
    return value instanceof Promise ? value.catch(() => undefined) : value;
  } catch {
    return undefined;
  }
}

function constantChange(by: Value): Pick<Computed, 'evaluate' | 'asData'> {
  const evaluate = (): Datum => storable(by);
  try {
    return { evaluate, asData: textOfValue(evaluate()) };
  } catch {
    // It fails for each document that is there.
    return { evaluate, asData: undefined };
  }
}

const update = (call: ChangeCall): Promise<Value> | Value =>
  whenDone(changeBy(call), ({ evaluate, asData, primaryKey }) =>
    overSelection(call, {
      change:
        asData === undefined
          ? { type: 'fetch', replacesDamage: false }
          : { type: 'update', by: asData },
      evaluate: (old) =>
        old === null ? null : whenDone(evaluate(old), (patch) => updated(old, patch, primaryKey)),
    }),
  );

const replace = (call: ChangeCall): Promise<Value> | Value =>
  whenDone(changeBy(call), ({ evaluate, asData, primaryKey }) =>
    overSelection(call, {
      change:
        asData === undefined
          ? { type: 'fetch', replacesDamage: true }
          : { type: 'replace', by: asData },
      evaluate: (old) => whenDone(evaluate(old), (next) => replaced(old, next, primaryKey)),
    }),
  );

export const changeTerms: readonly TermEntry[] = [
  [
    Term.UPDATE,
    define({ arity: [2, 2], options: changeOptions, effects: true, deferred: 1, run: update }),
  ],
  [
    Term.DELETE,
    define({
      arity: [1, 1],
      options: deleteOptions,
      effects: true,
      run: (call) => overSelection(call, { change: { type: 'delete' }, evaluate: () => null }),
    }),
  ],
  [Term.REPLACE, define({ arity: [2, 2], options: changeOptions, effects: true, run: replace })],
];
