import type { MetadataState } from '../../metadata/state.ts';
import type { ReplicaMember } from './gone-members.ts';

/** What decides whether the replicas of a node are what they are to be. */
export interface ReplicaFacts {
  readonly state: Pick<MetadataState, 'members'>;
  readonly members: readonly ReplicaMember[];
  readonly isRemoved: (id: string) => boolean;
  /** Grows whenever something happens in a group of this node. */
  readonly turns: number;
}

/** Whatever else may decide it is seen after this time. */
const calmMsMax = 30_000;

const textOf = ({ state, members, isRemoved }: ReplicaFacts): string => {
  const known = Object.keys(state.members ?? {}).map((id) => [id, isRemoved(id)]);
  const seen = members.map(({ id, name, roles, status, isDraining, ailment }) => [
    id,
    name,
    roles,
    status,
    isDraining,
    ailment,
    isRemoved(id),
  ]);
  return JSON.stringify([known, seen]);
};

/** Whether nothing has happened since the last look at all replicas: looking at thousands of them twice a second costs. */
export class Calm {
  #before:
    | { readonly facts: ReplicaFacts; readonly text: string; readonly atMs: number }
    | undefined;

  /** Whether another look would find what the last one has found. Without an answer of true, somebody looks now. */
  isKept(facts: ReplicaFacts, now: number): boolean {
    const before = this.#before;
    const text = textOf(facts);
    const isSame =
      before !== undefined &&
      now - before.atMs < calmMsMax &&
      before.facts.state === facts.state &&
      before.facts.turns === facts.turns &&
      before.text === text;
    if (!isSame) this.#before = { facts, text, atMs: now };
    return isSame;
  }

  /** The look did not end: the next one is due. */
  end(): void {
    this.#before = undefined;
  }
}
