import type { Datum } from '../../datum/datum.ts';
import { documentText } from '../../datum/document.ts';
import { DocumentTooLargeError, InvalidDatumError } from '../../datum/errors.ts';
import { fieldOf, isObject, pseudoType, withField } from '../../datum/object.ts';
import { encodePrimaryKey } from '../../datum/primary-key.ts';
import { canonicalText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import type { Change, Conflict, DocumentText, Edit, EditOutcome } from '../../wire/table-edit.ts';
import { failureOf } from '../../wire/table-failure.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { determinism } from '../determinism.ts';
import { conflictArguments, duplicateKey, storable } from '../document-change.ts';
import { lengthOf, roomyBatches } from '../edit-batches.ts';
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
import { committed, writeOptions, writing } from './writing.ts';
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
    if (!(error instanceof InvalidDatumError) || error instanceof DocumentTooLargeError)
      throw error;
    return { text: canonicalText(document), isChecked: false };
  }
}

/** A new document and its edit, or why it cannot be written. */
type Planned =
  | { readonly document: Datum; readonly edit: Edit; readonly failed?: undefined }
  | { readonly failed: EditOutcome };

const plannedLength = (planned: Planned): number =>
  planned.failed === undefined ? planned.edit.key.byteLength + lengthOf(planned.edit.change) : 0;

function insert(call: InsertCall): Promise<Value> {
  const [target, documents = null] = call.args;
  const table = expectTable(target);
  const write = writing(table, call);
  const { primaryKey } = table.info;
  const { evaluate, asData: conflict } = conflictOf(call, primaryKey);
  const planOf = (item: Value | StoredRow): Planned => {
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
  const flush = (batch: readonly Planned[]): Promise<void> => {
    const edits: Edit[] = [];
    const written: Datum[] = [];
    for (const planned of batch) {
      if (planned.failed === undefined) {
        edits.push(planned.edit);
        written.push(planned.document);
        // As in RethinkDB: what cannot be written at all comes before what has a conflict.
      } else write.tally.failed(planned.failed.error?.message);
    }
    const evaluated: EvaluateEdit = (position, old) => {
      const document = written[position] ?? null;
      return old === null ? document : evaluate(old, document);
    };
    return committed(write, edits, evaluated).then((outcomes) => {
      const { work } = call.context;
      for (const [position, { result }] of outcomes.entries())
        if (result === 'inserted')
          work?.ownInserts.inserted(table.info.id, (edits[position] as Edit).key);
      const made = outcomes.values();
      for (const { failed } of batch) {
        const outcome = failed ?? made.next().value;
        if (outcome !== undefined) write.tally.count(outcome);
      }
    });
  };
  const given = documentsNow(documents);
  const batches = given === undefined ? batchesOf(streamFrom(documents), call.context) : [given];
  return flushAll(batches, planOf, flush).then(() => write.tally.summary());
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
  documents: AsyncIterable<Documents> | readonly Documents[],
  planOf: (item: Value | StoredRow) => Planned,
  flush: (batch: readonly Planned[]) => Promise<void>,
): Promise<void> {
  for await (const items of documents)
    for (const batch of roomyBatches(plansOf(items, planOf), plannedLength)) await flush(batch);
}

function* plansOf(
  items: Documents,
  planOf: (item: Value | StoredRow) => Planned,
): Generator<Planned> {
  for (const item of items) {
    try {
      yield planOf(item);
    } catch (error) {
      yield { failed: failedEdit(error) };
    }
  }
}

export const insertTerms: readonly TermEntry[] = [
  [Term.INSERT, define({ arity: [2, 2], options: insertOptions, effects: true, run: insert })],
];
