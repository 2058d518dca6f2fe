import { readMark, removeMark } from '../integrity/damage-mark.ts';
import type { WriteTransaction } from '../kv/store.ts';
import type { ShardRecord } from '../metadata/state.ts';
import { EntryNotApplicableError } from './errors.ts';
import { parkedEntries, unpark } from './parked.ts';
import { commandOf } from './replay.ts';

/** Entries that one write looks at: a table in quarantine takes no more of them. */
const entriesMax = 1_000_000;

/**
 * Ends the quarantine of a table: the next start applies what its log had. Without the entries that cannot
 * be read, when they are to be discarded, or without the first one, when it can be read and was what could
 * not be applied; answers how many were discarded.
 */
export function releaseGroup(
  transaction: WriteTransaction,
  { group, keyspace }: Pick<ShardRecord, 'group' | 'keyspace'>,
  discardsEntries: boolean,
): number {
  const mark = readMark(transaction, group);
  removeMark(transaction, group);
  if (!discardsEntries) return 0;
  const entries = parkedEntries(transaction, group, { limit: entriesMax });
  const unreadable = entries.filter(
    (entry) => commandOf({ group, ...entry }, keyspace) instanceof EntryNotApplicableError,
  );
  const isFirstBad = unreadable.length === 0 && mark?.code === 'replication.not_applicable';
  const bad = isFirstBad ? entries.slice(0, 1) : unreadable;
  for (const { index } of bad) unpark(transaction, group, index);
  return bad.length;
}
