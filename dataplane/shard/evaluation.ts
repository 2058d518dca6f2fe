import { entryOverheadBytes } from '../apply/replayed.ts';
import type { Datum } from '../datum/datum.ts';
import type { DocumentCodec } from '../datum/document-codec.ts';
import { anyVersion } from '../table/command.ts';
import { StorageCorruptError } from '../table/errors.ts';
import type { Edit, EditOutcome } from './contract.ts';
import type { Current, ShardDocuments } from './documents.ts';
import type { Memtable, MemtableEntry } from './memtable.ts';
import type { Proposal } from './proposal.ts';

/** An edit, and the document that it was evaluated on. */
export interface Evaluated {
  readonly edit: Edit;
  readonly name: string;
  readonly current: Current;
  readonly old: Datum;
  /** Of the document, while it is not committed. */
  readonly basis: Proposal | undefined;
}

/** What an edit came to, and the proposal that it stands for. */
export type Result = readonly [outcome: EditOutcome, proposal: Proposal | undefined];

export const entryBytes = (key: Uint8Array, body: Uint8Array | undefined): number =>
  key.byteLength * 2 + (body?.byteLength ?? 0) + entryOverheadBytes;

export interface EvaluationParts {
  readonly documents: ShardDocuments;
  readonly memtable: Memtable;
  readonly codec: DocumentCodec;
  /** The field of a document that holds its key. */
  readonly primaryKey: string;
}

/** What an edit is evaluated on; a document that cannot be read only for one that replaces it. */
export function currentOf(
  documents: ShardDocuments,
  { key, replacesDamage }: Edit,
  name: string,
  entry: MemtableEntry | undefined,
): Current {
  try {
    return documents.read(key, name, entry);
  } catch (error) {
    if (!(error instanceof StorageCorruptError) || replacesDamage !== true) throw error;
    return { version: anyVersion, text: undefined, damage: error };
  }
}

/** Puts what an edit came to into the proposal that `into` answers, where it changes the document. */
export function stage(
  { memtable, codec, primaryKey }: EvaluationParts,
  { edit, name, current, old, basis }: Evaluated,
  next: Datum,
  into: () => Proposal,
): Result {
  const { damage } = current;
  if (next === old && damage === undefined) return [{ old, new: next }, basis];
  const place = { key: edit.key, primaryKey, old };
  const document = next === null ? undefined : codec.validate(next, place);
  const text = document?.text;
  if (text === current.text && damage === undefined) return [{ old, new: old }, basis];
  const body = document?.bytes;
  const bytes = entryBytes(edit.key, body);
  const staged = into();
  const entry = { key: edit.key, index: staged.index, text, bytes, isShown: false };
  staged.operations.push({ key: edit.key, expectedVersion: current.version, body });
  staged.entries.push({ name, entry });
  staged.bytes += bytes;
  if (current.text === undefined && damage === undefined) staged.delta += 1;
  if (text === undefined) staged.delta -= 1;
  memtable.propose(name, entry);
  const outcome = { old, new: next, ...(damage === undefined ? {} : { damage }) };
  return [outcome, staged];
}
