import type { LogHold, MemberLog } from './log.ts';
import type { RaftGroup } from './raft-group.ts';

/** What is asked of a group. */
type HeldGroup = Pick<RaftGroup, 'group' | 'matches' | 'handedOver'>;

/** A log that keeps more than this for members that are behind has lost one; a state is transferred to it later. */
const heldBytesMaxDefault = 256 * 1_048_576;
const heldMsMax = 600_000;

/**
 * Keeps the log from releasing what other members of the groups that this node leads still need, so that a node that
 * was away for a moment needs entries and no transferred state. Guarded invariant: the bounds of the hold.
 */
export class FollowerHold {
  readonly #log: Pick<MemberLog, 'hold'>;
  readonly #bytesMax: number;
  /** By group: members behind this were lost with an earlier hold, and hold nothing any more. */
  readonly #floors = new Map<number, number>();
  readonly #known = new Map<number, HeldGroup>();
  #hold: LogHold | undefined;

  constructor(log: Pick<MemberLog, 'hold'>, bytesMax = heldBytesMaxDefault) {
    this.#log = log;
    this.#bytesMax = bytesMax;
  }

  /** Called from time to time with groups whose members may have got further. */
  update(groups: Iterable<HeldGroup>): void {
    if (this.#hold?.lost !== undefined) {
      for (const { group, handedOver } of this.#known.values()) this.#floors.set(group, handedOver);
      this.#hold = undefined;
    }
    this.#hold ??= this.#log.hold({
      name: 'members of replicated groups',
      positions: new Map(),
      bytesMax: this.#bytesMax,
      ageMsMax: heldMsMax,
    });
    for (const group of groups) {
      this.#known.set(group.group, group);
      const floor = this.#floors.get(group.group) ?? 0;
      this.#hold.advance(group.group, neededBehind(group, floor));
    }
  }

  leave(group: number): void {
    this.#floors.delete(group);
    this.#known.delete(group);
    if (this.#hold?.lost === undefined) this.#hold?.advance(group, Number.POSITIVE_INFINITY);
  }

  end(): void {
    this.#hold?.end();
    this.#hold = undefined;
  }
}

/** The last entry that no member needs any more. */
function neededBehind({ matches, handedOver }: HeldGroup, floor: number): number {
  const counted = [...matches.values()].filter((match) => match >= floor);
  return Math.min(handedOver, ...counted);
}
