import type { ByteReader } from '../common/byte-reader.ts';
import type { ByteWriter } from '../common/byte-writer.ts';
import { TableMessageError } from './errors.ts';
import { countOf, flagOf, oneOf, optional, textOf, writeOptional } from './table-fields.ts';
import { editResults } from './table-edit.ts';
import type {
  CapturedValue,
  Change,
  Conflict,
  DocumentText,
  Edit,
  EditBasis,
  EditBatch,
  EditOutcome,
  EditValue,
  TermFunction,
} from './table-edit.ts';
import type { TableFailure } from './table-failure.ts';

/** Edits and their outcomes as bytes. Changes that edits share are written once. */

export const editsMax = 10_000;
const capturedMax = 1_000;

/** Whether the sender's word is taken that documents were checked: it runs the code of this process. */
export interface Trust {
  readonly believesChecks: boolean;
}

type ChangeType = Change['type'];
const changeTypes = [
  'insert',
  'update',
  'replace',
  'delete',
  'expire',
  'fetch',
  'compareAndSet',
] as const satisfies readonly ChangeType[];
const namedConflicts = ['error', 'replace', 'update'] as const;
const documentsWanted = ['none', 'changed', 'all'] as const;
const durabilities = ['hard', 'soft'] as const;

function writeFunction(writer: ByteWriter, { term, captured }: TermFunction): void {
  writer.text(term).u32(captured.length);
  for (const { variable, value, isSelection } of captured)
    writer.f64(variable).u8(Number(isSelection)).text(value.text);
}

function readFunction(reader: ByteReader): TermFunction {
  const term = textOf(reader);
  const captured: CapturedValue[] = [];
  for (let left = countOf(reader, capturedMax, capturedBytesMin); left > 0; left -= 1) {
    const variable = reader.f64();
    const isSelection = flagOf(reader);
    captured.push({ variable, isSelection, value: { text: textOf(reader) } });
  }
  return { term, captured };
}

const capturedBytesMin = 13;

const writeDocument = (writer: ByteWriter, { text, isChecked }: DocumentText): void =>
  void writer.u8(Number(isChecked)).text(text);

function readDocument(reader: ByteReader, { believesChecks }: Trust): DocumentText {
  const isChecked = flagOf(reader) && believesChecks;
  return { text: textOf(reader), isChecked };
}

function writeConflict(writer: ByteWriter, conflict: Conflict): void {
  if (typeof conflict === 'string') writer.u8(namedConflicts.indexOf(conflict));
  else writeFunction(writer.u8(namedConflicts.length), conflict);
}

function readConflict(reader: ByteReader): Conflict {
  const number = reader.u8();
  return number === namedConflicts.length
    ? readFunction(reader)
    : oneOf(namedConflicts, number, 'conflict');
}

function writeValue(writer: ByteWriter, by: EditValue): void {
  if ('term' in by) writeFunction(writer.u8(1), by);
  else writer.u8(0).text(by.text);
}

const readValue = (reader: ByteReader): EditValue =>
  flagOf(reader) ? readFunction(reader) : { text: textOf(reader) };

const writeBasis = (writer: ByteWriter, { version, generation }: EditBasis): void =>
  void writer.u64(version).u64(generation);

const readBasis = (reader: ByteReader): EditBasis => ({
  version: reader.u64(),
  generation: reader.u64(),
});

/** What a compare-and-set leaves: what is there, nothing, or a document. */
const kept = 0;
const removed = 1;
const set = 2;

function writeChange(writer: ByteWriter, change: Change): void {
  writer.u8(changeTypes.indexOf(change.type));
  switch (change.type) {
    case 'insert':
      writeDocument(writer.u8(Number(change.isKeyGenerated)), change.document);
      return writeConflict(writer, change.conflict);
    case 'update':
    case 'replace':
      return writeValue(writer, change.by);
    case 'delete':
      return;
    case 'expire':
      writer.text(change.field).f64(change.nowMs);
      return;
    case 'fetch':
      writer.u8(Number(change.replacesDamage));
      return;
    case 'compareAndSet': {
      writeBasis(writer, change.expected);
      const { document } = change;
      if (document === undefined) writer.u8(kept);
      else if (document === null) writer.u8(removed);
      else writeDocument(writer.u8(set), document);
    }
  }
}

function readChange(reader: ByteReader, trust: Trust): Change {
  const type = oneOf(changeTypes, reader.u8(), 'change');
  switch (type) {
    case 'insert': {
      const isKeyGenerated = flagOf(reader);
      const document = readDocument(reader, trust);
      return { type, isKeyGenerated, document, conflict: readConflict(reader) };
    }
    case 'update':
    case 'replace':
      return { type, by: readValue(reader) };
    case 'delete':
      return { type };
    case 'expire':
      return { type, field: textOf(reader), nowMs: reader.f64() };
    case 'fetch':
      return { type, replacesDamage: flagOf(reader) };
    case 'compareAndSet': {
      const expected = readBasis(reader);
      return { type, expected, document: readNext(reader, trust) };
    }
  }
}

function readNext(reader: ByteReader, trust: Trust): DocumentText | null | undefined {
  const number = reader.u8();
  if (number === kept) return undefined;
  if (number === removed) return null;
  if (number !== set) throw new TableMessageError(`No result of a compare-and-set is ${number}.`);
  return readDocument(reader, trust);
}

export function writeBatch(writer: ByteWriter, batch: EditBatch): void {
  const { context, hook, session } = batch;
  writer.u8(durabilities.indexOf(batch.durability)).u8(documentsWanted.indexOf(batch.documents));
  writer.f64(context.nowMs).f64(context.arrayLimit);
  writeOptional(writer, hook, writeFunction);
  writeOptional(writer, session, (to, { id, sequence, isRepeated }) =>
    to.text(id).u64(sequence).u8(Number(isRepeated)),
  );
  const places = new Map<Change, number>();
  for (const { change } of batch.edits) if (!places.has(change)) places.set(change, places.size);
  writer.u32(places.size);
  for (const change of places.keys()) writeChange(writer, change);
  writer.u32(batch.edits.length);
  for (const { key, change } of batch.edits) writer.prefixed(key).u32(places.get(change) ?? 0);
}

export function readBatch(reader: ByteReader, trust: Trust): EditBatch {
  const durability = oneOf(durabilities, reader.u8(), 'durability');
  const documents = oneOf(documentsWanted, reader.u8(), 'selection of documents');
  const context = { nowMs: reader.f64(), arrayLimit: reader.f64() };
  const hook = optional(reader, readFunction);
  const session = optional(reader, (from) => ({
    id: textOf(from),
    sequence: from.u64(),
    isRepeated: flagOf(from),
  }));
  const changes: Change[] = [];
  for (let left = countOf(reader, editsMax, 1); left > 0; left -= 1)
    changes.push(readChange(reader, trust));
  const edits: Edit[] = [];
  for (let left = countOf(reader, editsMax, editBytesMin); left > 0; left -= 1) {
    // Of its own: a shard keeps it longer than the message.
    const key = reader.prefixed().slice();
    const place = reader.u32();
    const change = changes[place];
    if (change === undefined)
      throw new TableMessageError(`An edit has change ${place} of ${changes.length}.`);
    edits.push({ key, change });
  }
  const shared = { durability, documents, context, hook, edits };
  return session === undefined ? shared : { ...shared, session };
}

const editBytesMin = 8;

export function writeFailure(writer: ByteWriter, { code, message, type }: TableFailure): void {
  writer.text(code).text(message);
  writeOptional(writer, type, (to, number) => to.u32(number));
}

export function readFailure(reader: ByteReader): TableFailure {
  const [code, message] = [textOf(reader), textOf(reader)];
  const type = optional(reader, (from) => from.u32());
  return type === undefined ? { code, message } : { code, message, type };
}

const writeText = (writer: ByteWriter, text: string): void => void writer.text(text);

export function writeOutcomes(writer: ByteWriter, outcomes: readonly EditOutcome[]): void {
  writer.u32(outcomes.length);
  for (const each of outcomes) writeOutcome(writer, each);
}

/** Set in the number of a result whose documents are left out. */
const cutBit = 0x80;

export function writeOutcome(writer: ByteWriter, outcome: EditOutcome): void {
  writer.u8(editResults.indexOf(outcome.result) | (outcome.isCut === true ? cutBit : 0));
  writeOptional(writer, outcome.old, writeText);
  writeOptional(writer, outcome.new, writeText);
  writeOptional(writer, outcome.error, writeFailure);
  writeOptional(writer, outcome.damage, writeText);
  writeOptional(writer, outcome.basis, writeBasis);
}

export function readOutcomes(reader: ByteReader): EditOutcome[] {
  const outcomes: EditOutcome[] = [];
  for (let left = countOf(reader, editsMax, outcomeBytesMin); left > 0; left -= 1)
    outcomes.push(readOutcome(reader));
  return outcomes;
}

export function readOutcome(reader: ByteReader): EditOutcome {
  const number = reader.u8();
  const result = oneOf(editResults, number & ~cutBit, 'result of an edit');
  const [old, next] = [optional(reader, textOf), optional(reader, textOf)];
  const error = optional(reader, readFailure);
  const damage = optional(reader, textOf);
  const basis = optional(reader, readBasis);
  return {
    result,
    ...(old === undefined ? {} : { old }),
    ...(next === undefined ? {} : { new: next }),
    ...((number & cutBit) === 0 ? {} : { isCut: true as const }),
    ...(error === undefined ? {} : { error }),
    ...(damage === undefined ? {} : { damage }),
    ...(basis === undefined ? {} : { basis }),
  };
}

export const outcomeBytesMin = 6;
