import { shardsOf } from '../../metadata/shards.ts';
import { qualifiedName } from '../../metadata/state.ts';
import type { MetadataState } from '../../metadata/state.ts';
import type { Configuration } from '../../replication/replicated-group.ts';
import type { LedShard } from './shard-reports.ts';

/**
 * Whether the cluster can do without one of its members for good: each group of replicas has a leader, and a majority
 * that is up, without it. Then the others have everything that was acknowledged. Pure.
 */
export type Voters = Pick<Configuration, 'voters' | 'outgoing'>;

export interface LossFacts {
  readonly state: MetadataState;
  /** Of the metadata, as its leader has them. */
  readonly metadata: Voters;
  /** Of each node that answered. */
  readonly led: ReadonlyMap<string, readonly LedShard[]>;
  readonly isUp: (id: string) => boolean;
}

const holds = (
  { voters, outgoing }: Voters,
  lost: string,
  isUp: (id: string) => boolean,
): boolean =>
  [voters, outgoing].every((ids) => {
    const others = ids.filter((id) => id !== lost && isUp(id));
    return ids.length === 0 || others.length * 2 > ids.length;
  });

/** Why a member is needed: the first group that has no majority without it; undefined when none is. */
export function needOf(lost: string, facts: LossFacts): string | undefined {
  const { state, metadata, led, isUp } = facts;
  if (!holds(metadata, lost, isUp)) return 'the metadata has no majority without it';
  const known = new Map<string, Voters>();
  for (const shards of led.values()) {
    for (const shard of shards) known.set(`${shard.table} ${shard.shard}`, shard);
  }
  for (const table of Object.values(state.tables)) {
    for (const at of shardsOf(table).keys()) {
      const group = known.get(`${table.id} ${at}`);
      if (group !== undefined && holds(group, lost, isUp)) continue;
      const why = group === undefined ? 'leader' : 'majority';
      return `shard ${at} of table \`${qualifiedName(state, table)}\` has no ${why} without it`;
    }
  }
  return undefined;
}
