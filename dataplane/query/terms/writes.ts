import type { Datum } from '../../datum/datum.ts';
import { compareDatum } from '../../datum/compare.ts';
import { fieldOf, isObject, objectOf, pseudoType, withField } from '../../datum/object.ts';
import { encodePrimaryKey } from '../../datum/primary-key.ts';
import { prettyText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
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
import { Term } from '../term-table.ts';
import type { Edit, EditOutcome } from '../environment.ts';
import { logic, opFailed } from '../failure.ts';
import { determinism } from '../determinism.ts';
import { whenDone } from '../maybe-async.ts';
import { batchesOf } from '../stream.ts';
import {
  BoundArray,
  BoundObject,
  datumOf,
  FunctionValue,
  holdsBound,
  isSequence,
  RowValue,
  wrongValue,
} from '../value.ts';
import { StoredRow } from '../item.ts';
import type { TableValue, Value } from '../value.ts';
import { sizeOf } from '../work/size.ts';
import { merged, refuseLiterals } from './merging.ts';
import {
  checkArity,
  eachIn,
  noSequence,
  refuseInfinite,
  streamFrom,
  tableOf,
} from './sequence-tools.ts';
import { writeHookOf } from '../write-hook.ts';
import type { Hooked } from '../write-hook.ts';
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

type Conflict = 'error' | 'replace' | 'update' | FunctionValue;

const named = oneOf(
  ['error', 'replace', 'update'],
  (found) =>
    `Conflict option \`${found}\` unrecognized (options are "error", "replace" and "update").`,
);

const insertOptions = {
  ...writeOptions,
  conflict: option<Conflict>(
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

interface Tally {
  deleted: number;
  errors: number;
  inserted: number;
  replaced: number;
  skipped: number;
  unchanged: number;
  firstError: string | undefined;
  readonly warnings: string[];
  readonly changes: Datum[];
  /** Beyond the array limit. */
  changesLeftOut: number;
  readonly generatedKeys: string[];
  /** Beyond the array limit. */
  keysLeftOut: number;
}

const newTally = (): Tally => ({
  deleted: 0,
  errors: 0,
  inserted: 0,
  replaced: 0,
  skipped: 0,
  unchanged: 0,
  firstError: undefined,
  warnings: [],
  changes: [],
  changesLeftOut: 0,
  generatedKeys: [],
  keysLeftOut: 0,
});

interface Writing {
  readonly table: TableValue;
  readonly context: Context;
  readonly durability: 'hard' | 'soft';
  readonly returnChanges: boolean | 'always';
  readonly hook: Hooked | undefined;
  readonly tally: Tally;
}

function writing(table: TableValue, { options, context }: WriteCall): Writing {
  const info = context.environment.catalog.tableById(table.info.id) ?? table.info;
  return {
    table,
    context,
    durability: options.durability ?? info.durability,
    hook: options.ignore_write_hook ? undefined : writeHookOf(info, context),
    returnChanges: options.return_changes,
    tally: newTally(),
  };
}

type Kind = 'errors' | 'deleted' | 'inserted' | 'replaced' | 'skipped' | 'unchanged';

/** What an edit counts as. */
function kindOf({ old, new: next, error, damage }: EditOutcome): Kind {
  if (error !== undefined) return 'errors';
  if (damage !== undefined) return next === null ? 'deleted' : 'replaced';
  if (old === null) return next === null ? 'skipped' : 'inserted';
  if (next === null) return 'deleted';
  return compareDatum(old, next) === 0 ? 'unchanged' : 'replaced';
}

/** Of documents that could not be read and were replaced; the first ones say enough. */
const warningsMax = 10;

function count(write: Writing, outcome: EditOutcome): void {
  const { tally, returnChanges } = write;
  const { old, new: next, error, damage } = outcome;
  if (damage !== undefined && tally.warnings.length < warningsMax)
    tally.warnings.push(`The document before could not be read: ${damage.message}`);
  if (error !== undefined) tally.firstError ??= error.message;
  tally[kindOf(outcome)] += 1;
  const moved = error === undefined && (damage !== undefined || compareDatum(old, next) !== 0);
  if (returnChanges === 'always' || (returnChanges && moved)) {
    const failed = error === undefined ? [] : [['error', error.message] as const];
    if (tally.changes.length >= write.context.arrayLimit) tally.changesLeftOut += 1;
    else {
      const change = objectOf([...failed, ['new_val', next], ['old_val', old]]);
      write.context.work?.memory.charge(sizeOf(change));
      tally.changes.push(change);
    }
  }
}

/** An array of the answer that is longer than the query allows is cut, and the answer says so. */
function warningsOf({ tally, context: { arrayLimit } }: Writing): string[] {
  const { keysLeftOut, generatedKeys } = tally;
  return [
    ...tally.warnings,
    ...(tally.changesLeftOut > 0 ? [`Too many changes, array truncated to ${arrayLimit}.`] : []),
    ...(keysLeftOut > 0
      ? [
          `Too many generated keys (${keysLeftOut + generatedKeys.length}), array truncated to ${generatedKeys.length}.`,
        ]
      : []),
  ];
}

function summary(write: Writing): Datum {
  const { tally, returnChanges } = write;
  const warnings = warningsOf(write);
  return objectOf([
    ...(returnChanges !== false ? [['changes', tally.changes] as const] : []),
    ['deleted', tally.deleted],
    ['errors', tally.errors],
    ...(tally.firstError === undefined ? [] : [['first_error', tally.firstError] as const]),
    ...(tally.generatedKeys.length === 0 ? [] : [['generated_keys', tally.generatedKeys] as const]),
    ['inserted', tally.inserted],
    ['replaced', tally.replaced],
    ['skipped', tally.skipped],
    ['unchanged', tally.unchanged],
    ...(warnings.length === 0 ? [] : [['warnings', warnings] as const]),
  ]);
}

async function commit(write: Writing, edits: readonly Edit[]): Promise<void> {
  for (const outcome of await committed(write, edits)) count(write, outcome);
}

async function committed(write: Writing, edits: readonly Edit[]): Promise<readonly EditOutcome[]> {
  const { hook } = write;
  const hooked =
    hook === undefined
      ? edits
      : edits.map((edit) => ({
          ...edit,
          evaluate: (old: Datum) => then(edit.evaluate(old), (next) => hook(old, next)),
        }));
  const { signal } = write.context.deadline;
  return write.table.access.edit(hooked, write.durability, signal);
}

const failedEdit = (error: unknown): EditOutcome => ({
  old: null,
  new: null,
  error: error as Error,
});

function withKey(document: Datum, write: Writing): Datum {
  const { primaryKey } = write.table.info;
  if (!isObject(document) || pseudoType(document) !== undefined) return document;
  if (fieldOf(document, primaryKey) !== undefined) return document;
  const key = write.context.environment.uuid();
  if (write.tally.generatedKeys.length >= write.context.arrayLimit) write.tally.keysLeftOut += 1;
  else write.tally.generatedKeys.push(key);
  return withField(document, primaryKey, key);
}

/** The key of a document that is to be inserted. What else must hold of it is checked when it is written. */
function keyOfNew(document: Datum, primaryKey: string): Uint8Array {
  if (!isObject(document) || pseudoType(document) !== undefined)
    throw logic(`Expected type OBJECT but found ${typeName(document)}.`);
  return encodePrimaryKey(fieldOf(document, primaryKey) ?? null);
}

/** What is written when there is a document with the key of a new one. */
type Resolution = (old: Datum, document: Datum) => Datum | Promise<Datum>;

function conflictOf({ options: { conflict } }: InsertCall, primaryKey: string): Resolution {
  if (conflict instanceof FunctionValue) {
    if (conflict.determinism === determinism.never)
      throw logic('The conflict function passed to `insert` must be deterministic.');
    if (conflict.arity !== 0 && conflict.arity !== 3)
      throw logic('The conflict function passed to `insert` should expect 3 arguments.');
    return (old, document) => {
      const key = isObject(document) ? (fieldOf(document, primaryKey) ?? null) : null;
      return whenDone(conflict.call([key, old, document]), datumOf);
    };
  }
  if (conflict === 'replace') return (_, document) => document;
  if (conflict === 'update') return merged;
  return (old, document) => {
    throw opFailed(
      `Duplicate primary key \`${primaryKey}\`:\n${prettyText(old)}\n${prettyText(document)}`,
    );
  };
}

/** A value that is to be written: bounds are for queries. */
function storable(value: Value | StoredRow): Datum {
  if (value instanceof StoredRow) return value.datum;
  if (holdsBound(value)) throw logic('`r.minval` and `r.maxval` cannot be written to disk.');
  return datumOf(value);
}

async function insert(call: InsertCall): Promise<Value> {
  const [target, documents = null] = call.args;
  const table = expectTable(target);
  const write = writing(table, call);
  const { primaryKey } = table.info;
  const conflict = conflictOf(call, primaryKey);
  const replacesDamage = call.options.conflict === 'replace';
  const flush = async (batch: readonly (Value | StoredRow)[]): Promise<void> => {
    const edits: Edit[] = [];
    /** By the position in the batch: what cannot be written. */
    const failed = new Map<number, EditOutcome>();
    for (const [position, item] of batch.entries()) {
      try {
        const given = storable(item);
        const document = withKey(given, write);
        const key = keyOfNew(document, primaryKey);
        const evaluate: Edit['evaluate'] = (old) =>
          old === null ? document : conflict(old, document);
        edits.push({ key, isKeyGenerated: document !== given, replacesDamage, evaluate });
      } catch (error) {
        const outcome = failedEdit(error);
        failed.set(position, outcome);
        // It comes before those that writing meets.
        write.tally.firstError ??= outcome.error?.message;
      }
    }
    // As in RethinkDB: what cannot be written at all comes before what has a conflict.
    for (const { error } of failed.values()) write.tally.firstError ??= error?.message;
    const outcomes = (await committed(write, edits)).values();
    for (const position of batch.keys()) {
      const outcome = failed.get(position) ?? outcomes.next().value;
      if (outcome !== undefined) count(write, outcome);
    }
  };
  for await (const batch of documentsIn(documents, call.context)) {
    for (let at = 0; at < batch.length; at += editsPerBatch)
      await flush(batch.slice(at, at + editsPerBatch));
  }
  return summary(write);
}

/** One document, or a sequence of them. */
async function* documentsIn(
  documents: Value,
  context: Context,
): AsyncGenerator<readonly (Value | StoredRow)[]> {
  if (documents instanceof BoundArray) yield documents.items;
  else if (documents instanceof BoundObject) yield [documents];
  else if (Array.isArray(documents)) yield refuseLiterals(documents as Datum[]) as Datum[];
  else if (isSequence(documents)) {
    refuseInfinite(documents);
    yield* batchesOf(streamFrom(documents), context);
  } else {
    const document = refuseLiterals(datumOf(documents));
    if (!isObject(document) || pseudoType(document) !== undefined) throw noSequence(documents);
    yield [document];
  }
}

type Change = Omit<Edit, 'key'>;

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

/** One document or every document of a selection, through `change`. */
async function overSelection(call: WriteCall, change: Change): Promise<Value> {
  const [target = null] = call.args;
  if (target instanceof RowValue) {
    const write = writing(target.table, call);
    await commit(write, [{ key: target.key, ...change }]);
    return summary(write);
  }
  const table = tableOf(target);
  if (table === undefined) throw wrongValue('SELECTION', target);
  const write = writing(table, call);
  // Read to the end before the first write: a selection must not meet its own changes.
  const keys = await keysOf(target, call.context);
  for (let at = 0; at < keys.length; at += editsPerBatch) {
    call.context.deadline.signal.throwIfAborted();
    await commit(
      write,
      keys.slice(at, at + editsPerBatch).map((key) => ({ key, ...change })),
    );
  }
  return summary(write);
}

function keepKey(old: Datum, next: Datum, table: TableValue): Datum {
  if (!isObject(next) || pseudoType(next) !== undefined) {
    throw logic(`Inserted value must be an OBJECT (got ${typeName(next)}):\n${prettyText(next)}`);
  }
  const { primaryKey } = table.info;
  const [before, after] = [
    isObject(old) ? fieldOf(old, primaryKey) : undefined,
    fieldOf(next, primaryKey),
  ];
  if (after === undefined)
    throw logic(`Inserted object must have primary key \`${primaryKey}\`:\n${prettyText(next)}`);
  if (before !== undefined && compareDatum(before, after) !== 0) {
    throw logic(
      `Primary key \`${primaryKey}\` cannot be changed (\`${prettyText(old)}\` -> \`${prettyText(next)}\`).`,
    );
  }
  return next;
}

function changeBy(call: ChangeCall): {
  change: (old: Datum) => Datum | Promise<Datum>;
  table: TableValue;
} {
  const [target = null, by = null] = call.args;
  const table = target instanceof RowValue ? target.table : tableOf(target);
  if (table === undefined) throw wrongValue('SELECTION', target);
  if (call.determinism[1] === determinism.never && !call.options.non_atomic) {
    throw logic(
      'Could not prove argument deterministic.  Maybe you want to use the non_atomic flag?',
    );
  }
  if (!(by instanceof FunctionValue)) return { change: () => storable(by), table };
  checkArity(by, 1);
  return { change: (old) => whenDone(by.call([old]), storable), table };
}

const then = (
  value: Datum | Promise<Datum>,
  continued: (datum: Datum) => Datum | Promise<Datum>,
): Datum | Promise<Datum> => (value instanceof Promise ? value.then(continued) : continued(value));

function update(call: ChangeCall): Promise<Value> {
  const { change, table } = changeBy(call);
  const evaluate: Edit['evaluate'] = (old) =>
    old === null
      ? null
      : then(change(old), (patch) => {
          if (patch === null) return old;
          if (!isObject(patch)) throw wrongValue('OBJECT', patch);
          return keepKey(old, merged(old, patch), table);
        });
  return overSelection(call, { evaluate });
}

function replace(call: ChangeCall): Promise<Value> {
  const { change, table } = changeBy(call);
  const evaluate: Edit['evaluate'] = (old) =>
    then(change(old), (next) => (next === null ? null : keepKey(old, next, table)));
  return overSelection(call, { replacesDamage: true, evaluate });
}

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
      run: (call) =>
        overSelection(call, { deletes: true, replacesDamage: true, evaluate: () => null }),
    }),
  ],
  [Term.REPLACE, define({ arity: [2, 2], options: changeOptions, effects: true, run: replace })],
  [Term.INSERT, define({ arity: [2, 2], options: insertOptions, effects: true, run: insert })],
];
