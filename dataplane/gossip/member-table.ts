import type { Prng } from '../common/prng.ts';
import { Fingerprint } from './fingerprint.ts';
import { isPresent, supersedes } from './member.ts';
import type { Member, NodeId } from './member.ts';
import type { GossipOptions } from './options.ts';

/**
 * The members that a node knows, and the order in which it probes them: every member once in a round, in an
 * order that is shuffled each time (SWIM, section 4.3), so that a silent member is found within two rounds.
 * A tick, a probe and a sample take a time that does not grow with the members, unless one has changed.
 */
const textOf = ({ id, incarnation, status }: Member): string => `${id} ${incarnation} ${status}`;

export class MemberTable {
  readonly #own: NodeId;
  readonly #random: Prng;
  readonly #max: number;
  readonly #tombstoneTicks: number;
  readonly #known = new Map<NodeId, Member>();
  /** How long each member that is gone has been remembered, in ticks. */
  readonly #gone = new Map<NodeId, number>();
  /** Of what is worth telling. */
  readonly #fingerprint = new Fingerprint();
  /** Made again after a change. */
  #present: readonly Member[] | undefined;
  #round: NodeId[] = [];

  constructor({
    id,
    membersMax,
    tombstoneTicks,
    random,
  }: Pick<GossipOptions, 'id' | 'membersMax' | 'tombstoneTicks' | 'random'>) {
    this.#own = id;
    this.#max = membersMax;
    this.#tombstoneTicks = tombstoneTicks;
    this.#random = random;
  }

  /** Equal on nodes with the same `told`, but for who accuses whom. */
  get fingerprint(): number {
    return this.#fingerprint.value;
  }

  /**
   * Without members that have been gone for half of the time for which they are remembered: whoever has
   * forgotten one must not learn it again from others.
   */
  get told(): readonly Member[] {
    return this.all.filter(({ id }) => this.#isTold(id));
  }

  #isTold(id: NodeId): boolean {
    return (this.#gone.get(id) ?? 0) < this.#tombstoneTicks / 2;
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
    this.#present ??= this.all.filter((member) => member.id !== this.#own && isPresent(member));
    return this.#present;
  }

  /** Members that are known from before: no news. */
  remember(members: readonly Member[]): void {
    for (const member of members) {
      if (member.id === this.#own) continue;
      this.#known.set(member.id, member);
      this.#fingerprint.toggle(textOf(member));
    }
    this.#present = undefined;
  }

  /** Answers whether the update is news; a full table takes no new member. */
  apply(update: Member): boolean {
    const known = this.#known.get(update.id);
    if (known === undefined && this.#known.size >= this.#max) return false;
    if (known !== undefined && !supersedes(update, known)) return false;
    const { id, address, incarnation, status } = update;
    if (known !== undefined && this.#isTold(id)) this.#fingerprint.toggle(textOf(known));
    this.#fingerprint.toggle(textOf(update));
    this.#known.set(id, { id, address, incarnation, status });
    if (isPresent(update)) this.#gone.delete(id);
    else this.#gone.set(id, 0);
    this.#present = undefined;
    return true;
  }

  /** Members that are gone age; answers who is forgotten now. */
  tick(): readonly NodeId[] {
    const forgotten: NodeId[] = [];
    for (const [id, ticks] of this.#gone) {
      const wasTold = this.#isTold(id);
      this.#gone.set(id, ticks + 1);
      const known = this.#known.get(id) as Member;
      if (wasTold && !this.#isTold(id)) this.#fingerprint.toggle(textOf(known));
      if (ticks >= this.#tombstoneTicks) forgotten.push(id);
    }
    for (const id of forgotten) {
      this.#known.delete(id);
      this.#gone.delete(id);
    }
    return forgotten;
  }

  nextToProbe(): Member | undefined {
    for (let tries = this.#known.size * 2; tries >= 0; tries -= 1) {
      const id = this.#round.pop();
      const member = id === undefined ? undefined : this.#known.get(id);
      if (member !== undefined && isPresent(member)) return member;
      if (id === undefined) {
        this.#round = this.sample(this.present.length).map((each) => each.id);
        if (this.#round.length === 0) return undefined;
      }
    }
    return undefined;
  }

  /** Different members at random, `except` left out. */
  sample(count: number, except?: NodeId): readonly Member[] {
    const all = this.present;
    // Shuffles as Fisher and Yates do, but only as far as members are wanted, and without a copy of them.
    const moved = new Map<number, number>();
    const chosen: Member[] = [];
    for (let last = all.length - 1; last >= 0 && chosen.length < count; last -= 1) {
      const at = this.#random.below(last + 1);
      const member = all[moved.get(at) ?? at] as Member;
      moved.set(at, moved.get(last) ?? last);
      if (member.id !== except) chosen.push(member);
    }
    return chosen;
  }
}
