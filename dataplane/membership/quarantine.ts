import type { Status } from '../gossip/member.ts';
import type { Accusation } from './accusations.ts';
import { wordsOf } from './quarantine-causes.ts';
import type { QuarantineCause } from './quarantine-causes.ts';

/**
 * Which nodes are quarantined. Pure: a decision from signed accusations, orders of administrators, and what nodes
 * say of themselves, so that members which know the same decide the same. Guarded invariant: one node alone cannot
 * quarantine another; a majority of the members other than the accused is needed, the dead among them counted.
 */
export interface JudgedMember {
  readonly id: string;
  readonly status: Status;
  /** What it accuses others of. */
  readonly accusations: readonly Accusation[];
  /** What it says of itself; undefined when it says nothing. */
  readonly own: OwnQuarantine | undefined;
  /** An administrator has ordered it; undefined without a standing order. */
  readonly ordered: { readonly reason: string; readonly at: number } | undefined;
}

export interface OwnQuarantine {
  readonly detail: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export interface Quarantine {
  readonly causes: readonly QuarantineCause[];
  /** A sentence without its subject. */
  readonly reason: string;
  readonly since: number;
  /** Members that accuse it; none when it accuses itself, or an administrator has ordered it. */
  readonly accusers: readonly string[];
}

/** Accusers that are needed where `others` members could accuse; undefined where they are too few. */
export const accusersNeeded = (others: number): number | undefined =>
  others < 2 ? undefined : Math.floor(others / 2) + 1;

/**
 * By node ID. No clock is read here, for that of the accused may be the wrong one: a member takes an accusation that
 * has ended out of its state, and what the dead have said does not count.
 */
export function quarantinedAmong(
  members: readonly JudgedMember[],
): ReadonlyMap<string, Quarantine> {
  const electorate = members.filter(({ status }) => status !== 'left');
  const present = electorate.filter(({ status }) => status === 'alive' || status === 'suspect');
  const found = new Map<string, Quarantine>();
  for (const member of members) {
    const quarantine =
      orderedOf(member) ?? ownOf(member) ?? accusedOf(member.id, electorate, present);
    if (quarantine !== undefined) found.set(member.id, quarantine);
  }
  return found;
}

function orderedOf({ ordered }: JudgedMember): Quarantine | undefined {
  if (ordered === undefined) return undefined;
  const reason = `${wordsOf('administrator')}: ${ordered.reason}`;
  return { causes: ['administrator'], reason, since: ordered.at, accusers: [] };
}

function ownOf({ own }: JudgedMember): Quarantine | undefined {
  if (own === undefined) return undefined;
  const reason = `${wordsOf('walCorruption')}: ${own.detail}`;
  return { causes: ['walCorruption'], reason, since: own.since, accusers: [] };
}

function accusedOf(
  id: string,
  electorate: readonly JudgedMember[],
  present: readonly JudgedMember[],
): Quarantine | undefined {
  const needed = accusersNeeded(electorate.filter((member) => member.id !== id).length);
  if (needed === undefined) return undefined;
  const against = present
    .filter((member) => member.id !== id)
    .map((member) => ({
      accuser: member.id,
      standing: member.accusations.filter(({ about }) => about === id),
    }))
    .filter(({ standing }) => standing.length > 0);
  if (against.length < needed) return undefined;
  const all = against.flatMap(({ standing }) => standing);
  const causes = [...new Set(all.map(({ cause }) => cause))].sort();
  const sentences = causes.map((cause) => {
    const { detail } = all.find((each) => each.cause === cause) as Accusation;
    return `${wordsOf(cause)} (${detail})`;
  });
  return {
    causes,
    reason: `${sentences.join(', and ')}, as ${against.length} of ${electorate.length - 1} other members say`,
    // When the last accuser that was needed has spoken.
    since: against
      .map(({ standing }) => Math.min(...standing.map((each) => each.since)))
      .sort((left, right) => left - right)[needed - 1] as number,
    accusers: against.map(({ accuser }) => accuser).sort(),
  };
}
