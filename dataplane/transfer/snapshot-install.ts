import { writeApplied, writeMembers } from '../apply/applied-position.ts';
import { keyOfStaged, parkedEnd, parkedStart } from '../apply/parked.ts';
import { replaceSessions } from '../apply/stored-sessions.ts';
import { decodeBase64, fromHex, successor, toHex } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import { removeMark } from '../integrity/damage-mark.ts';
import { writeUnchecked } from '../integrity/unchecked.ts';
import type { ApplyStore, WriteTransaction } from '../kv/store.ts';
import type { MetadataState } from '../metadata/state.ts';
import { partsOf, shardsOf } from '../metadata/shards.ts';
import { keyspaceKey } from '../table/envelope.ts';
import type { KeyspaceWalk } from '../table/keyspace-walk.ts';
import { storedRange } from '../table/key-range.ts';
import { metaKey } from '../table/meta-key.ts';
import { decodeSessions } from '../table/session-table.ts';
import { readStatistics, StatisticsChange } from '../table/statistics.ts';
import { TransferDamagedError } from './errors.ts';
import {
  clearChunks,
  readIncoming,
  removeIncoming,
  sliceOf,
  stagedRange,
  writeIncoming,
} from './snapshot-staging.ts';
import type { IncomingState } from './snapshot-staging.ts';

export interface InstalledShard {
  readonly group: number;
  /** Of the rows. */
  readonly keyspace: number;
  /** Of its parts of indexes, which are built again. */
  readonly indexes: readonly number[];
}

export interface InstallHome {
  readonly store: ApplyStore;
  readonly clock: Pick<Clock, 'now'>;
  /** Walks that count keyspaces again at this moment. */
  readonly walks: ReadonlyMap<number, KeyspaceWalk>;
}

/**
 * The state that has arrived is to replace what the group has; from now on a start goes on with it. Says whether it is
 * there.
 */
export function beginInstall(
  store: ApplyStore,
  { group, indexes }: InstalledShard,
  members: Uint8Array,
): Promise<boolean> {
  return store.write((transaction) => {
    const state = readIncoming(transaction, group);
    if (state === undefined) return false;
    writeIncoming(transaction, group, {
      ...state,
      installing: { members: toHex(members) },
    });
    forgetIndexes(transaction, indexes);
    return true;
  });
}

/** Their entries are of other rows: each is counted, and built, from nothing. */
function forgetIndexes(transaction: WriteTransaction, indexes: readonly number[]): void {
  for (const keyspace of indexes)
    for (const kind of ['statistics', 'build', 'built', 'failed'] as const)
      transaction.remove('meta', metaKey(kind, keyspace));
}

/**
 * Replaces the rows of a shard by those that have arrived, in slices; the last of them moves the position. Resolves
 * when that is on the medium. What a process leaves of it, the next start finishes. It ends early when nobody wants the
 * rows any more, because the shard has left the node.
 */
export async function finishInstall(
  home: InstallHome,
  shard: InstalledShard,
  isWanted: () => boolean = () => true,
): Promise<void> {
  const { store, clock } = home;
  const { group } = shard;
  const state = store.read((view) => readIncoming(view, group));
  if (state?.installing === undefined) return;
  const { members } = state.installing;
  // Entries that the group had in quarantine are in the state, or were never committed.
  await clearChunks(store, { start: parkedStart(group), end: parkedEnd(group) }, clock);
  await clearRows(home, shard, isWanted);
  await copyRows(home, shard, isWanted);
  if (!isWanted()) return;
  await store.write((transaction) => {
    requireTotals(transaction, shard.keyspace, state);
    writeApplied(transaction, group, state);
    writeMembers(transaction, group, fromHex(members));
    for (const kind of ['recount', 'unchecked'] as const)
      transaction.remove('meta', metaKey(kind, shard.keyspace));
    writeUnchecked(transaction, shard.keyspace, state.unchecked);
    // A release before this one kept none.
    replaceSessions(transaction, group, decodeSessions(decodeBase64(state.sessions ?? '')));
    removeMark(transaction, group);
    forgetIndexes(transaction, shard.indexes);
    removeIncoming(transaction, group);
  });
  await store.flushed();
  await clearChunks(store, stagedRange(group), clock);
}

function requireTotals(
  transaction: WriteTransaction,
  keyspace: number,
  { statistics: { count, bytes, hash } }: IncomingState,
): void {
  const found = readStatistics(transaction, keyspace);
  if (found.count === count && found.bytes === bytes && found.hash === hash) return;
  throw new TransferDamagedError(0, 'the rows that were kept are not those that arrived');
}

async function clearRows(
  { store, clock, walks }: InstallHome,
  { keyspace }: InstalledShard,
  isWanted: () => boolean,
): Promise<void> {
  const { start, end } = storedRange(keyspace, {}, 'ascending');
  const clear = (transaction: WriteTransaction): boolean => {
    const statistics = new StatisticsChange(keyspace, walks.get(keyspace));
    const entries = sliceOf(transaction, { database: 'data', start, end }, clock);
    for (const { key, value } of entries) {
      transaction.remove('data', key);
      statistics.subtract(key, value);
    }
    statistics.write(transaction);
    return entries.length > 0;
  };
  while (isWanted() && (await store.write(clear)));
  // Rows that were lost were counted, too.
  await store.write((transaction) => transaction.remove('meta', metaKey('statistics', keyspace)));
}

async function copyRows(
  { store, clock, walks }: InstallHome,
  { group, keyspace }: InstalledShard,
  isWanted: () => boolean,
): Promise<void> {
  const { end } = stagedRange(group);
  let { start } = stagedRange(group);
  const copy = (transaction: WriteTransaction): boolean => {
    const statistics = new StatisticsChange(keyspace, walks.get(keyspace));
    const entries = sliceOf(transaction, { database: 'chunk', start, end }, clock);
    for (const { key, value } of entries) {
      const storedKey = keyspaceKey(keyspace, keyOfStaged(key));
      transaction.put('data', storedKey, value);
      statistics.add(storedKey, value);
      start = successor(key);
    }
    statistics.write(transaction);
    return entries.length > 0;
  };
  while (isWanted() && (await store.write(copy)));
}

/** Goes on with what an earlier process began. */
export async function finishInstalls(home: InstallHome, { tables }: MetadataState): Promise<void> {
  for (const table of Object.values(tables)) {
    for (const [at, { group, keyspace }] of shardsOf(table).entries()) {
      const indexes = table.indexes.flatMap((index) => partsOf(index)[at]?.keyspace ?? []);
      await finishInstall(home, { group, keyspace, indexes });
    }
  }
}
