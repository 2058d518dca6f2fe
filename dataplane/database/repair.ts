import { releaseGroup } from '../apply/release-group.ts';
import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import type { Damage } from '../integrity/damage.ts';
import type { ApplyStore } from '../kv/store.ts';
import { shardsOf } from '../metadata/shards.ts';
import type { TableRecord } from '../metadata/state.ts';

/** No start serves the table, until it is released. */
export async function quarantineTable(
  { store, corruption }: { readonly store: ApplyStore; readonly corruption: CorruptionRegistry },
  table: TableRecord,
  damage: Damage,
): Promise<void> {
  for (const { group } of shardsOf(table)) await corruption.quarantine(group, damage);
  await store.flushed();
}

/**
 * Ends the quarantine of a table, from the next start on: what its log had is applied then. Without what cannot be
 * applied, when entries are to be discarded; resolves to how many were.
 */
export async function releaseTable(
  store: ApplyStore,
  table: TableRecord,
  discardsEntries: boolean,
): Promise<number> {
  const discarded = await store.write((transaction) =>
    shardsOf(table).reduce(
      (sum, shard) => sum + releaseGroup(transaction, shard, discardsEntries),
      0,
    ),
  );
  await store.flushed();
  return discarded;
}
