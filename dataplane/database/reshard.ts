import { refused } from '../metadata/command.ts';
import type { Refused } from '../metadata/command.ts';
import { hasOthers } from '../metadata/members.ts';
import { shardsOf } from '../metadata/shards.ts';
import { qualifiedName } from '../metadata/state.ts';
import type { MetadataState } from '../metadata/state.ts';
import type { ShardedTable } from '../shard/sharded-table.ts';

interface ReshardHome {
  readonly state: MetadataState;
  table(id: string): ShardedTable | undefined;
  change(command: {
    readonly type: 'reshardTable';
    readonly tableId: string;
    readonly shards: number;
  }): Promise<MetadataState | Refused>;
}

/** Gives a table another number of shards, unless it has documents. Edits wait meanwhile. */
export async function reshard(
  home: ReshardHome,
  tableId: string,
  shards: number,
): Promise<MetadataState | Refused> {
  const record = home.state.tables[tableId];
  if (record === undefined) return refused('The table was dropped.');
  // A node that has no replica of a shard has no such table.
  if (hasOthers(home.state)) {
    const name = qualifiedName(home.state, record);
    return refused(
      `Table \`${name}\` is in a cluster of several nodes, where this version cannot change the number of shards: make a table with \`shards: ${shards}\`.`,
    );
  }
  const table = home.table(tableId);
  if (table === undefined) return refused('The table was dropped.');
  let isMoved = false;
  const closed = table.closeWrites();
  try {
    await closed;
    await table.readable();
    if (table.count > 0) {
      const [name, count] = [qualifiedName(home.state, record), shardsOf(record).length];
      return refused(
        `Table \`${name}\` has ${count} ${count === 1 ? 'shard' : 'shards'}, and this version cannot move its documents into ${shards}: make a table with \`shards: ${shards}\`, and copy them into it.`,
      );
    }
    const result = await home.change({ type: 'reshardTable', tableId, shards });
    isMoved = !('type' in result);
    return result;
  } finally {
    table.openWrites(isMoved);
  }
}
