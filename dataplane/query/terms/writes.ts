import type { Datum } from '../../datum/datum.ts';
import { documentText } from '../../datum/document.ts';
import { InvalidDatumError } from '../../datum/errors.ts';
import { fieldOf, isObject, pseudoType, withField } from '../../datum/object.ts';
import { encodePrimaryKey } from '../../datum/primary-key.ts';
import { canonicalText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import { replacesDamage } from '../../wire/edit-decision.ts';
import type {
  Change,
  Conflict,
  DocumentText,
  Edit,
  EditBatch,
  EditOutcome,
  EditValue,
} from '../../wire/table-edit.ts';
import { failureOf } from '../../wire/table-failure.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import {
  conflictArguments,
  duplicateKey,
  replaced,
  storable,
  updated,
} from '../document-change.ts';
import { logic } from '../failure.ts';
import {
  bool,
  define,
  durability,
  inert,
  obsolete,
  oneOf,
  option,
  returnChanges,
} from '../options.ts';
import type { OptionValues } from '../options.ts';
import { determinism } from '../determinism.ts';
import { whenDone } from '../maybe-async.ts';
import { confirmed } from '../returned-edits.ts';
import type { EvaluateEdit } from '../returned-edits.ts';
import { batchesOf } from '../stream.ts';
import { termFunctionOf } from '../term-function.ts';
import { Term } from '../term-table.ts';
import {
  BoundArray,
  BoundObject,
  datumOf,
  FunctionValue,
  isSequence,
  RowValue,
  wrongValue,
} from '../value.ts';
import { StoredRow } from '../item.ts';
import type { TableValue, Value } from '../value.ts';
import { writeHookOf } from '../write-hook.ts';
import type { AppliedHook } from '../write-hook.ts';
import { textOfValue } from '../value-text.ts';
import { WriteTally } from '../write-tally.ts';
import { merged, refuseLiterals } from './merging.ts';
import {
  checkArity,
  eachIn,
  noSequence,
  refuseInfinite,
  streamFrom,
  tableOf,
} from './sequence-tools.ts';
import { expectTable } from './select.ts';

/** Terms that write. Each answers the counts of what happened to its documents. */
const writeOptions = {
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
type WriteCall = TermCall<OptionValues<typeof writeOptions>>;

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

type GivenConflict = 'error' | 'replace' | 'update' | FunctionValue;

const named = oneOf(
  ['error', 'replace', 'update'],
  (found) =>
    `Conflict option \`${found}\` unrecognized (options are "error", "replace" and "update").`,
);

const insertOptions = {
  ...writeOptions,
  conflict: option<GivenConflict>(
    {
      allowed: `${named.allowed}, a function of the key, the old and the new document`,
      read: (value, name) => (value instanceof FunctionValue ? value : named.read(value, name)),
    },
    'What becomes of a document whose primary key is there already.',
    'error',
  ),
} as const;
type InsertCall = TermCall<OptionValues<typeof insertOptions>>;

/** Edits that go to the log together. */
const editsPerBatch = 200;

interface Writing {
  readonly table: TableValue;
  readonly context: Context;
  readonly durability: 'hard' | 'soft';
  readonly documents: EditBatch['documents'];
  readonly hook: AppliedHook | undefined;
  readonly tally: WriteTally;
}

function writing(table: TableValue, { options, context }: WriteCall): Writing {
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
function committed(
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

const failedEdit = (error: unknown): EditOutcome => ({
  result: 'failed',
  error: failureOf(error),
});

function withKey(document: Datum, write: Writing): Datum {
  const { primaryKey } = write.table.info;
  if (!isObject(document) || pseudoType(document) !== undefined) return document;
  if (fieldOf(document, primaryKey) !== undefined) return document;
  const key = write.context.environment.uuid();
  write.tally.keyGenerated(key);
  return withField(document, primaryKey, key);
}

/** The key of a document that is to be inserted. What else must hold of it is checked when it is written. */
function keyOfNew(document: Datum, primaryKey: string): Uint8Array {
  if (!isObject(document) || pseudoType(document) !== undefined)
    throw logic(`Expected type OBJECT but found ${typeName(document)}.`);
  return encodePrimaryKey(fieldOf(document, primaryKey) ?? null);
}

/** What is written when there is a document with the key of a new one. */
interface Resolution {
  readonly evaluate: (old: Datum, document: Datum) => Datum | Promise<Datum>;
  /** Undefined when only the query can evaluate it. */
  readonly asData: Conflict | undefined;
}

function conflictOf(
  { options: { conflict }, context }: InsertCall,
  primaryKey: string,
): Resolution {
  if (conflict instanceof FunctionValue) {
    if (conflict.determinism === determinism.never)
      throw logic('The conflict function passed to `insert` must be deterministic.');
    if (conflict.arity !== 0 && conflict.arity !== 3)
      throw logic('The conflict function passed to `insert` should expect 3 arguments.');
    return {
      evaluate: (old, document) =>
        whenDone(conflict.call(conflictArguments(old, document, primaryKey)), datumOf),
      asData: termFunctionOf(conflict, context),
    };
  }
  if (conflict === 'replace') return { evaluate: (_, document) => document, asData: conflict };
  if (conflict === 'update') return { evaluate: merged, asData: conflict };
  return {
    evaluate: (old, document) => {
      throw duplicateKey(old, document, primaryKey);
    },
    asData: conflict,
  };
}

/** What cannot be stored may still meet a conflict that says otherwise: the shard decides. */
function textOfNew(document: Datum, key: Uint8Array, primaryKey: string): DocumentText {
  try {
    return { text: documentText(document, { key, primaryKey, old: null }), isChecked: true };
  } catch (error) {
    if (!(error instanceof InvalidDatumError)) throw error;
    return { text: canonicalText(document), isChecked: false };
  }
}

/** A new document, and its edit. */
interface Planned {
  readonly document: Datum;
  readonly edit: Edit;
}

function insert(call: InsertCall): Promise<Value> {
  const [target, documents = null] = call.args;
  const table = expectTable(target);
  const write = writing(table, call);
  const { primaryKey } = table.info;
  const { evaluate, asData: conflict } = conflictOf(call, primaryKey);
  const planned = (item: Value | StoredRow): Planned => {
    const given = storable(item);
    const document = withKey(given, write);
    const key = keyOfNew(document, primaryKey);
    const change: Change =
      conflict === undefined
        ? { type: 'fetch', replacesDamage: false }
        : {
            type: 'insert',
            document: textOfNew(document, key, primaryKey),
            isKeyGenerated: document !== given,
            conflict,
          };
    return { document, edit: { key, change } };
  };
  const flush = (batch: readonly (Value | StoredRow)[]): Promise<void> => {
    const edits: Edit[] = [];
    const written: Datum[] = [];
    /** By the position in the batch: what cannot be written. */
    const failed = new Map<number, EditOutcome>();
    for (const [position, item] of batch.entries()) {
      try {
        const { document, edit } = planned(item);
        edits.push(edit);
        written.push(document);
      } catch (error) {
        const outcome = failedEdit(error);
        failed.set(position, outcome);
        // As in RethinkDB: what cannot be written at all comes before what has a conflict.
        write.tally.failed(outcome.error?.message);
      }
    }
    const evaluated: EvaluateEdit = (position, old) => {
      const document = written[position] ?? null;
      return old === null ? document : evaluate(old, document);
    };
    return committed(write, edits, evaluated).then((outcomes) => {
      const made = outcomes.values();
      for (const position of batch.keys()) {
        const outcome = failed.get(position) ?? made.next().value;
        if (outcome !== undefined) write.tally.count(outcome);
      }
    });
  };
  const batch = documentsNow(documents);
  const flushed =
    batch !== undefined && batch.length <= editsPerBatch
      ? flush(batch)
      : flushAll(batch ?? documents, call.context, flush);
  return flushed.then(() => write.tally.summary());
}

/** One document, or those of an array; undefined for what must be read first. */
function documentsNow(documents: Value): readonly (Value | StoredRow)[] | undefined {
  if (documents instanceof BoundArray) return documents.items;
  if (documents instanceof BoundObject) return [documents];
  if (Array.isArray(documents)) return refuseLiterals(documents as Datum[]) as Datum[];
  if (isSequence(documents)) {
    refuseInfinite(documents);
    return undefined;
  }
  const document = refuseLiterals(datumOf(documents));
  if (!isObject(document) || pseudoType(document) !== undefined) throw noSequence(documents);
  return [document];
}

type Documents = readonly (Value | StoredRow)[];

async function flushAll(
  documents: Documents | Value,
  context: Context,
  flush: (batch: Documents) => Promise<void>,
): Promise<void> {
  const batches = Array.isArray(documents)
    ? [documents as Documents]
    : batchesOf(streamFrom(documents as Value), context);
  for await (const batch of batches) {
    for (let at = 0; at < batch.length; at += editsPerBatch)
      await flush(batch.slice(at, at + editsPerBatch));
  }
}

/** The change of each document of a selection, and how the query evaluates it. */
interface ChangeOfAll {
  readonly change: Change;
  readonly evaluate: (old: Datum) => Datum | Promise<Datum>;
}

/** Of a key in memory, beside its bytes. */
const keyBytes = 128;

/** The keys of all documents of a selection. */
async function keysOf(target: Value, context: Context): Promise<readonly Uint8Array[]> {
  const keys: Uint8Array[] = [];
  await eachIn(target, context, (item) => {
    if (!(item instanceof StoredRow)) return;
    context.work?.memory.charge(keyBytes + item.key.byteLength);
    keys.push(item.key);
  });
  return keys;
}

/** One document or every document of a selection, through the same change. */
function overSelection(call: WriteCall, { change, evaluate }: ChangeOfAll): Promise<Value> {
  const [target = null] = call.args;
  const table = target instanceof RowValue ? target.table : tableOf(target);
  if (table === undefined) throw wrongValue('SELECTION', target);
  const write = writing(table, call);
  const commit = (keys: readonly Uint8Array[]): Promise<void> => {
    const edits = keys.map((key): Edit => ({ key, change }));
    return committed(write, edits, (_, old) => evaluate(old)).then((outcomes) => {
      for (const outcome of outcomes) write.tally.count(outcome);
    });
  };
  const done =
    target instanceof RowValue ? commit([target.key]) : overRows(target, call.context, commit);
  return done.then(() => write.tally.summary());
}

async function overRows(
  target: Value,
  context: Context,
  commit: (keys: readonly Uint8Array[]) => Promise<void>,
): Promise<void> {
  // Read to the end before the first write: a selection must not meet its own changes.
  const keys = await keysOf(target, context);
  for (let at = 0; at < keys.length; at += editsPerBatch) {
    context.deadline.signal.throwIfAborted();
    await commit(keys.slice(at, at + editsPerBatch));
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

export const writeTerms: readonly TermEntry[] = [
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
  [Term.INSERT, define({ arity: [2, 2], options: insertOptions, effects: true, run: insert })],
];
