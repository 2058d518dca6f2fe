import type { Datum } from '../../datum/datum.ts';
import { documentText } from '../../datum/document.ts';
import { InvalidDatumError } from '../../datum/errors.ts';
import { fieldOf, isObject, pseudoType, withField } from '../../datum/object.ts';
import { encodePrimaryKey } from '../../datum/primary-key.ts';
import { canonicalText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import type { Change, Conflict, DocumentText, Edit, EditOutcome } from '../../wire/table-edit.ts';
import { failureOf } from '../../wire/table-failure.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import { determinism } from '../determinism.ts';
import { conflictArguments, duplicateKey, storable } from '../document-change.ts';
import { logic } from '../failure.ts';
import type { StoredRow } from '../item.ts';
import { whenDone } from '../maybe-async.ts';
import { define, oneOf, option } from '../options.ts';
import type { OptionValues } from '../options.ts';
import type { EvaluateEdit } from '../returned-edits.ts';
import { batchesOf } from '../stream.ts';
import { termFunctionOf } from '../term-function.ts';
import { Term } from '../term-table.ts';
import { datumOf } from '../value-reading.ts';
import { BoundArray, BoundObject, FunctionValue, isSequence } from '../value.ts';
import type { Value } from '../value.ts';
import { merged, refuseLiterals } from './merging.ts';
import { expectTable } from './select.ts';
import { noSequence, refuseInfinite, streamFrom } from './sequence-tools.ts';
import { committed, editsPerBatch, writeOptions, writing } from './writing.ts';
import type { Writing } from './writing.ts';

/** `insert`: new documents, and what becomes of those whose key is there already. */

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

export const insertTerms: readonly TermEntry[] = [
  [Term.INSERT, define({ arity: [2, 2], options: insertOptions, effects: true, run: insert })],
];
