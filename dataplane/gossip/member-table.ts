import type { Prng } from '../common/prng.ts';
import { isPresent, supersedes } from './member.ts';
import type { Member, NodeId } from './member.ts';

/**
 * The members that a node knows, and the order in which it probes them: every member once in a round, in an
 * order that is shuffled each time (SWIM, section 4.3), so that a silent member is found within two rounds.
 */
interface Known extends Member {
  /** For members that are gone: how long they have been remembered. */
  readonly goneTicks: number;
}

export class MemberTable {
  readonly #own: NodeId;
  readonly #random: Prng;
  readonly #max: number;
  readonly #known = new Map<NodeId, Known>();
  #round: NodeId[] = [];

  constructor(own: NodeId, max: number, random: Prng) {
    this.#own = own;
    this.#max = max;
    this.#random = random;
  }

  get(id: NodeId): Member | undefined {
    return this.#known.get(id);
  }

  get size(): number {
    return this.#known.size;
  }

  get all(): readonly Member[] {
    return [...this.#known.values()];
  }

  /** Without this node itself. */
  get present(): readonly Member[] {
    return this.all.filter((member) => member.id !== this.#own && isPresent(member));
  }

  /** Answers whether the update is news; a full table takes no new member. */
  apply(update: Member): boolean {
    const known = this.#known.get(update.id);
    if (known === undefined && this.#known.size >= this.#max) return false;
    if (known !== undefined && !supersedes(update, known)) return false;
    const { id, address, incarnation, status } = update;
    this.#known.set(id, { id, address, incarnation, status, goneTicks: 0 });
    return true;
  }

  /** Members that are gone age; answers who is forgotten now. */
  tick(tombstoneTicks: number): readonly NodeId[] {
    const forgotten: NodeId[] = [];
    for (const [id, known] of this.#known) {
      if (isPresent(known)) continue;
      if (known.goneTicks >= tombstoneTicks) forgotten.push(id);
      else this.#known.set(id, { ...known, goneTicks: known.goneTicks + 1 });
    }
    for (const id of forgotten) this.#known.delete(id);
    return forgotten;
  }

  nextToProbe(): Member | undefined {
    for (let tries = this.#known.size * 2; tries >= 0; tries -= 1) {
      const id = this.#round.pop();
      const member = id === undefined ? undefined : this.#known.get(id);
      if (member !== undefined && isPresent(member)) return member;
      if (id === undefined) {
        this.#round = this.#shuffled(this.present).map((each) => each.id);
        if (this.#round.length === 0) return undefined;
      }
    }
    return undefined;
  }

  /** Different members at random, `except` left out. */
  sample(count: number, except?: NodeId): readonly Member[] {
    return this.#shuffled(this.present.filter(({ id }) => id !== except)).slice(0, count);
  }

  #shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let at = shuffled.length - 1; at > 0; at -= 1) {
      const other = this.#random.below(at + 1);
      [shuffled[at], shuffled[other]] = [shuffled[other] as T, shuffled[at] as T];
    }
    return shuffled;
  }
}
