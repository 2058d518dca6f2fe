import { entryOverheadBytes } from '../apply/replayed.ts';
import { documentBytes } from '../datum/document.ts';
import { anyVersion } from '../table/command.ts';
import { StorageCorruptError } from '../table/errors.ts';
import { replacesDamage } from '../wire/edit-decision.ts';
import type { Edit, EditOutcome } from '../wire/table-edit.ts';
import type { Current, ShardDocuments } from './documents.ts';
import type { Memtable, MemtableEntry } from './memtable.ts';
import type { Proposal } from './proposal.ts';

/** What an edit came to, and the proposal that it stands for. */
export type Result = readonly [outcome: EditOutcome, proposal: Proposal | undefined];

export const entryBytes = (key: Uint8Array, body: Uint8Array | undefined): number =>
  key.byteLength * 2 + (body?.byteLength ?? 0) + entryOverheadBytes;

/** What an edit is evaluated on; a document that cannot be read only for one that replaces it. */
export function currentOf(
  documents: ShardDocuments,
  { key, change }: Edit,
  name: string,
  entry: MemtableEntry | undefined,
): Current {
  try {
    return documents.read(key, name, entry);
  } catch (error) {
    if (!(error instanceof StorageCorruptError) || !replacesDamage(change)) throw error;
    return { version: anyVersion, text: undefined, damage: error };
  }
}

interface Staged {
  readonly key: Uint8Array;
  readonly name: string;
  readonly current: Current;
  /** The checked document that is to be there; undefined for none. */
  readonly text: string | undefined;
}

/** Puts the new document of a key into a proposal. */
export function stage(
  memtable: Memtable,
  { key, name, current, text }: Staged,
  into: Proposal,
): void {
  const { damage, version } = current;
  const body = text === undefined ? undefined : documentBytes(text);
  const bytes = entryBytes(key, body);
  const entry = { key, index: into.index, text, bytes, isShown: false };
  into.operations.push({ key, expectedVersion: version, body });
  into.entries.push({ name, entry });
  into.bytes += bytes;
  if (current.text === undefined && damage === undefined) into.delta += 1;
  if (text === undefined) into.delta -= 1;
  memtable.propose(name, entry);
}
