import { applied, refused } from './command.ts';
import type { MetadataResult } from './command.ts';
import { holdersOf, placementOf } from './shards.ts';
import type { MetadataState, ShardRecord, TableRecord } from './state.ts';

/** Members that were lost with a majority: one of the others became the only one, by an administrator's order. */

export const isGivenUp = ({ givenUp = [] }: Pick<MetadataState, 'givenUp'>, id: string): boolean =>
  givenUp.includes(id);

export const givenUpSentence = (id: string): string =>
  `Node ${id} was given up when the cluster lost its majority and was recovered from another node. Its data may be of another history: start it with an empty data directory.`;

/** The survivor has every replica that it had before; shards without one on it stay where they were lost. */
export function giveUpMembers(state: MetadataState, survivor: string): MetadataResult {
  const { members = {}, givenUp = [] } = state;
  const own = Object.hasOwn(members, survivor) ? members[survivor] : undefined;
  if (own === undefined) return refused(`Node ${survivor} is not a member of the cluster.`);
  const lost = Object.keys(members).filter((id) => id !== survivor);
  if (lost.length === 0) return applied(state);
  const tables = Object.fromEntries(
    Object.entries(state.tables).map(([id, table]) => [id, keptOn(survivor, state, table)]),
  );
  return applied({
    ...state,
    format: 3,
    tables,
    members: { [survivor]: own },
    givenUp: [...givenUp, ...lost],
  });
}

/** A table of several replicas gets others as soon as there are nodes for them. */
function keptOn(survivor: string, { founder }: MetadataState, table: TableRecord): TableRecord {
  const { epoch, shards } = placementOf(table);
  let isReplicated = false;
  const kept = shards.map((shard): ShardRecord => {
    const { replicas } = shard;
    if (replicas === undefined) return founder === survivor ? shard : leftOn(shard, founder);
    const all = new Set(holdersOf(replicas));
    if (!all.has(survivor)) return shard;
    isReplicated ||= all.size > 1;
    const alone = { voters: [survivor], learners: [], wanted: [survivor] };
    const { leaving: _lost, ...known } = replicas;
    return { ...shard, replicas: { ...known, ...alone } };
  });
  const grows = isReplicated ? { growsReplicas: true } : {};
  return { ...table, ...grows, placement: { epoch: epoch + 1, shards: kept } };
}

/** Of before shards had replicas. */
function leftOn(shard: ShardRecord, founder: string | undefined): ShardRecord {
  if (founder === undefined) return shard;
  const alone = [founder];
  return {
    ...shard,
    replicas: { founders: alone, voters: alone, learners: [], wanted: alone },
  };
}
