import type { Tables } from '../apply/tables.ts';
import { copyBytes } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import type { ApplyStore, DatabaseName, WriteTransaction } from '../kv/store.ts';
import { partsOf, shardsOf } from '../metadata/shards.ts';
import type { Garbage } from '../metadata/state.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import { storedRange } from '../table/key-range.ts';
import { metaKeysOf, parseMetaKey } from '../table/meta-key.ts';
import type { MetaKind } from '../table/meta-key.ts';
import { eachInSlice } from './slice.ts';

/** Removes every key of a keyspace that nothing refers to, and at the end what `meta` says of it. */
export async function clearKeyspace(
  store: ApplyStore,
  garbage: Garbage,
  { clock, signal }: { readonly clock: Pick<Clock, 'now'>; readonly signal: AbortSignal },
): Promise<void> {
  const clear = (transaction: WriteTransaction): boolean => {
    const { keyspace, group = keyspace } = garbage;
    if (clearSlice(transaction, garbage, clock)) return true;
    // What its log had for it in quarantine.
    if (clearSlice(transaction, { keyspace: group, database: 'chunk' }, clock)) return true;
    for (const key of [...metaKeysOf(keyspace), ...metaKeysOf(group)])
      transaction.remove('meta', key);
    return false;
  };
  do signal.throwIfAborted();
  while (await store.write(clear));
}

/** Removes the next keys of a keyspace; false when there were none. */
export function clearSlice(
  transaction: WriteTransaction,
  { keyspace, database }: { readonly keyspace: number; readonly database: DatabaseName },
  clock: Pick<Clock, 'now'>,
): boolean {
  const range = storedRange(keyspace, {}, 'ascending');
  const keys: Uint8Array[] = [];
  const { last } = eachInSlice(transaction, { database, range, clock }, (key) => keys.push(key));
  for (const key of keys) transaction.remove(database, key);
  return last !== undefined;
}

/**
 * Removes what `meta` says of keyspaces that are gone: a process may end, or a release before this one
 * may have ended, between a drop and the removal of the last key.
 */
export async function removeStrays(
  store: ApplyStore,
  tables: Pick<Tables, 'state' | 'isHere' | 'isReady'>,
  replicated?: Parameters<typeof clearKeyspace>[2],
): Promise<void> {
  const shards = Object.values(tables.state.tables).flatMap((table) =>
    shardsOf(table).flatMap((shard, at) =>
      tables.isHere(shard.group) ? [{ table, shard, at }] : [],
    ),
  );
  const groups = new Set([metadataGroup, ...shards.map(({ shard }) => shard.group)]);
  const rows = new Set(shards.map(({ shard }) => shard.keyspace));
  const indexes = shards.flatMap(({ table, at }) =>
    table.indexes.flatMap((index) => partsOf(index)[at] ?? []),
  );
  const builds = new Set(
    indexes.filter((part) => !part.ready || !tables.isReady(part)).map(({ keyspace }) => keyspace),
  );
  const wanted: Record<MetaKind, ReadonlySet<number>> = {
    applied: groups,
    members: groups,
    incoming: groups,
    statistics: new Set([...rows, ...indexes.map(({ keyspace }) => keyspace)]),
    build: builds,
    built: new Set(indexes.map(({ keyspace }) => keyspace)),
    damage: groups,
    failed: new Set(indexes.map(({ keyspace }) => keyspace)),
    recount: rows,
    unchecked: rows,
  };
  const strays: Uint8Array[] = [];
  const keyspaces = new Set<number>();
  store.read((view) =>
    view.walk('meta', {}, (key) => {
      const parsed = parseMetaKey(key);
      if (parsed === undefined || wanted[parsed.kind].has(parsed.keyspace)) return true;
      strays.push(copyBytes(key));
      if (parsed.kind === 'statistics') keyspaces.add(parsed.keyspace);
      return true;
    }),
  );
  if (strays.length === 0) return;
  // The others may have called something removed while this node was down.
  for (const keyspace of keyspaces) {
    if (replicated === undefined) break;
    await clearKeyspace(store, { keyspace, database: 'data' }, replicated);
    await clearKeyspace(store, { keyspace, database: 'index' }, replicated);
  }
  await store.write((transaction) => {
    for (const key of strays) transaction.remove('meta', key);
  });
}
