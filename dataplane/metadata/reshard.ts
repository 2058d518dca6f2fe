import { applied } from './command.ts';
import type { MetadataCommand, MetadataResult } from './command.ts';
import { withTable } from './indexes.ts';
import { formatOf, unknownReplica } from './members.ts';
import { drawIndex, drawShards, garbageOfIndex, garbageOfShards, placementOf } from './shards.ts';
import type { IndexRecord, MetadataState, TableRecord } from './state.ts';

/** Gives a table without documents another number of shards. Whoever asks has made sure that nothing is written. */
export function reshard(
  state: MetadataState,
  table: TableRecord,
  { shards: count, replicas }: Extract<MetadataCommand, { readonly type: 'reshardTable' }>,
): MetadataResult {
  const unknown = unknownReplica(state, count, replicas);
  if (unknown !== undefined) return unknown;
  const { epoch, shards: old } = placementOf(table);
  const { shards, ...numbers } = drawShards(state, count, replicas);
  let { nextKeyspace } = numbers;
  const placed: TableRecord = {
    ...table,
    shards: count,
    keyspace: shards[0].keyspace,
    placement: { epoch: epoch + 1, shards },
  };
  const indexes = table.indexes.map((index): IndexRecord => {
    const { parts: _parts, ...plain } = index;
    const drawn = drawIndex({ nextKeyspace }, placed);
    ({ nextKeyspace } = drawn);
    return { ...plain, ...drawn.index };
  });
  const garbage = [
    ...state.garbage,
    ...garbageOfShards(old),
    ...table.indexes.flatMap(garbageOfIndex),
  ];
  return applied(
    withTable({ ...state, format: formatOf(state), garbage, nextKeyspace }, { ...placed, indexes }),
  );
}
