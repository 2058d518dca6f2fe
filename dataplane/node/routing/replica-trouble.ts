import { replicasOf } from '../../metadata/members.ts';
import { shardsOf } from '../../metadata/shards.ts';
import { qualifiedName } from '../../metadata/state.ts';
import type { MetadataState } from '../../metadata/state.ts';
import type { ReplicatedGroup } from '../../replication/replicated-group.ts';

/**
 * Why the loss of another node could cost availability now: a group without a leader, a replica that is behind, or one
 * that is still to come. Leaders know how far the others are, so each of them reports its own groups.
 */
export interface Replicas {
  readonly state: MetadataState;
  readonly metadataReplicas: GroupView | undefined;
  readonly replicatedGroups: readonly GroupView[];
  replica(group: number): { readonly replicas: GroupView } | undefined;
}

export type GroupView = Pick<ReplicatedGroup, 'leader' | 'nextIndex' | 'matches' | 'configuration'>;

/** What a node knows of the others. */
export interface Reach {
  readonly node: string;
  /** Whether a node is alive. */
  readonly reaches: (id: string) => boolean;
}

/** Entries that a replica may be behind its leader while writes go on. */
export const lagEntriesMax = 4_096;

/**
 * - `Settling`: a leader is being elected, or a replica moves. Nothing is wrong, and nothing else is to begin.
 * - `CatchingUp`: a shard has fewer replicas with all of its entries than it is to have.
 * - `Degraded`: either of them has lasted too long.
 * - `Unavailable`: the metadata have had no leader for too long, so that no majority is reached.
 */
export interface Standing {
  readonly state: 'Ok' | 'Settling' | 'CatchingUp' | 'Degraded' | 'Unavailable';
  /** One sentence about the first trouble; empty when there is none. */
  readonly message: string;
}

export const wellStanding: Standing = { state: 'Ok', message: '' };

/** Longer than elections last, also on a busy machine: a new table does not make a cluster degraded. */
export const electionGraceMs = 10_000;
export const catchUpGraceMs = 60_000;

type Ages = Map<GroupView, number>;

/** How long each trouble has lasted, from one look to the next. */
export class ReplicaWatch {
  #leaderless: Ages = new Map();
  #short: Ages = new Map();

  look(database: Replicas, reach: Reach, now: number): Standing {
    const { replicatedGroups, metadataReplicas } = database;
    const leaderless = replicatedGroups.filter(({ leader }) => leader.node === undefined);
    this.#leaderless = kept(this.#leaderless, leaderless, now);
    const short = [...laggards(reach.node, database), ...incomplete(database)];
    const reduced = short.filter(({ isReduced }) => isReduced);
    this.#short = kept(
      this.#short,
      reduced.map(({ group }) => group),
      now,
    );
    const overdue = leaderless.filter(
      (group) => now - (this.#leaderless.get(group) ?? now) >= electionGraceMs,
    );
    if (overdue.length > 0) {
      const isLost = metadataReplicas !== undefined && overdue.includes(metadataReplicas);
      const message = leaderlessSentence(overdue, database, reach);
      return { state: isLost ? 'Unavailable' : 'Degraded', message };
    }
    const late = reduced.find(
      ({ group }) => now - (this.#short.get(group) ?? now) >= catchUpGraceMs,
    );
    if (late !== undefined) return { state: 'Degraded', message: late.message };
    const [first] = reduced;
    if (first !== undefined) return { state: 'CatchingUp', message: first.message };
    if (leaderless.length > 0) {
      const of = `${leaderless.length} of ${replicatedGroups.length} groups of replicas`;
      return { state: 'Settling', message: `the leader of ${of} is not known yet` };
    }
    const [moving] = short;
    return moving === undefined
      ? wellStanding
      : { state: 'Settling', message: `${moving.message}, and moves` };
  }
}

/** Those that are in trouble now, with the time of the first look that found them so. */
const kept = (before: Ages, groups: readonly GroupView[], now: number): Ages =>
  new Map(groups.map((group) => [group, before.get(group) ?? now]));

const isMajority = (some: number, all: number): boolean => some * 2 > all;

function leaderlessSentence(
  overdue: readonly GroupView[],
  { replicatedGroups, state }: Replicas,
  { node, reaches }: Reach,
): string {
  const lasts = `${overdue.length} of ${replicatedGroups.length} groups of replicas have had no leader for more than ${electionGraceMs / 1_000} s`;
  const away = new Set<string>();
  for (const { configuration } of overdue) {
    const missing = configuration.voters.filter((id) => id !== node && !reaches(id));
    const { length } = configuration.voters;
    if (!isMajority(length - missing.length, length)) for (const id of missing) away.add(id);
  }
  if (away.size === 0)
    return `${lasts}, though this node reaches a majority of their nodes; look for slow disks and busy processors`;
  const names = [...away].map((id) => nameOf(state, id)).join(', ');
  return `${lasts}, since this node does not reach a majority of their nodes; start those that it does not reach, or repair the network: ${names}`;
}

const nameOf = ({ members }: MetadataState, id: string): string => members?.[id]?.name ?? id;

interface Short {
  readonly group: GroupView;
  /** Fewer replicas have everything than are wanted; else one takes the place of another. */
  readonly isReduced: boolean;
  readonly message: string;
}

function lagOf(node: string, group: GroupView, id: string): number {
  return id === node ? 0 : Math.max(0, group.nextIndex - 1 - (group.matches.get(id) ?? 0));
}

/** Entries that the slowest voter lacks of a group that this node leads. */
export function largestLag(node: string, { replicatedGroups }: Replicas): number {
  return replicatedGroups
    .filter(({ leader }) => leader.isHere)
    .flatMap((group) => group.configuration.voters.map((id) => lagOf(node, group, id)))
    .reduce((one, other) => Math.max(one, other), 0);
}

function laggards(node: string, { replicatedGroups, state }: Replicas): readonly Short[] {
  return replicatedGroups.flatMap((group): Short[] => {
    if (!group.leader.isHere) return [];
    const late = group.configuration.voters.find((id) => lagOf(node, group, id) > lagEntriesMax);
    if (late === undefined) return [];
    const message = `a replica on node ${nameOf(state, late)} catches up with its leader`;
    return [{ group, isReduced: true, message }];
  });
}

/** Reported by the leader of the shard: the others learn of the end of a change later. */
function incomplete(database: Replicas): readonly Short[] {
  const { state } = database;
  return Object.values(state.tables).flatMap((table) =>
    shardsOf(table).flatMap((shard): Short[] => {
      const group = database.replica(shard.group)?.replicas;
      if (group?.leader.isHere !== true) return [];
      const wanted = replicasOf(state, shard)?.wanted ?? [];
      const { voters, outgoing } = group.configuration;
      const complete = wanted.filter((id) => voters.includes(id)).length;
      if (outgoing.length === 0 && complete >= wanted.length) return [];
      const isReduced = voters.length < wanted.length;
      const message = `table \`${qualifiedName(state, table)}\` has ${complete} of ${wanted.length} replicas`;
      return [{ group, isReduced, message }];
    }),
  );
}
