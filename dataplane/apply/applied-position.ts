import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { copyBytes } from '../common/bytes.ts';
import type { ReadTransaction, WriteTransaction } from '../kv/store.ts';
import { onlyTerm } from '../replication/entry-kind.ts';
import type { Position } from '../replication/replicated-group.ts';
import { metaKey } from '../table/meta-key.ts';

/** Before the first entry. */
const nothing: Position = { term: 0, index: 0 };

/** How far the log of a group was applied. Releases before wrote the index alone: their groups had one term. */
export function readAppliedPosition(view: ReadTransaction, group: number): Position {
  const bytes = view.get('meta', metaKey('applied', group));
  if (bytes === undefined) return nothing;
  const reader = new ByteReader(bytes);
  const index = reader.u64();
  if (reader.remaining > 0) return { index, term: reader.u64() };
  return { index, term: index === 0 ? 0 : onlyTerm };
}

export const readApplied = (view: ReadTransaction, group: number): number =>
  readAppliedPosition(view, group).index;

export function writeApplied(
  transaction: WriteTransaction,
  group: number,
  { index, term }: Position,
): void {
  const bytes = new ByteWriter(16).u64(index).u64(term).finish();
  transaction.put('meta', metaKey('applied', group), bytes);
}

/** The payload of the newest applied entry that says who the members of a group are; undefined without one. */
export const readMembers = (view: ReadTransaction, group: number): Uint8Array | undefined =>
  view.get('meta', metaKey('members', group));

export function writeMembers(
  transaction: WriteTransaction,
  group: number,
  configuration: Uint8Array,
): void {
  transaction.put('meta', metaKey('members', group), copyBytes(configuration));
}
