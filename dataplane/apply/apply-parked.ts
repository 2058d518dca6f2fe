import { copyBytes } from '../common/bytes.ts';
import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import type { ApplyStore } from '../kv/store.ts';
import type { ShardRecord } from '../metadata/state.ts';
import { onlyTerm } from '../replication/entry-kind.ts';
import type { Applier } from './applier.ts';
import { EntryNotApplicableError } from './errors.ts';
import { parkedEntries } from './parked.ts';
import { commandOf } from './replay.ts';

/** What tables had in quarantine when they were released from it: applied before anything else is. */
export interface Released {
  readonly store: ApplyStore;
  readonly applier: Applier;
  readonly shards: readonly Pick<ShardRecord, 'group' | 'keyspace'>[];
  readonly corruption: CorruptionRegistry;
}

/** Entries that are in memory at a time. */
const entriesPerRead = 100;

export async function applyParked(released: Released): Promise<void> {
  for (const shard of released.shards) await applyShard(shard, released);
}

async function applyShard(
  { group, keyspace }: Pick<ShardRecord, 'group' | 'keyspace'>,
  released: Released,
): Promise<void> {
  const { store, applier } = released;
  const applied = (): void => undefined;
  let after = 0;
  for (;;) {
    if (released.corruption.groups.of(group) !== undefined) return;
    const place = { after, limit: entriesPerRead };
    const entries = store.read((view) => parkedEntries(view, group, place));
    for (const entry of entries) {
      const payload = copyBytes(entry.payload);
      const command = commandOf({ group, ...entry, payload }, keyspace);
      if (command instanceof EntryNotApplicableError) {
        const { code, message } = command;
        await applier.drained();
        await released.corruption.quarantine(group, { code, message });
        return;
      }
      const { index } = entry;
      // Its position was taken when it was parked.
      const position = { group, index, term: onlyTerm };
      applier.push({ type: 'table', ...position, command, origin: 'parked', applied });
    }
    await applier.drained();
    if (entries.length < entriesPerRead) return;
    after = entries.at(-1)?.index ?? after;
  }
}
