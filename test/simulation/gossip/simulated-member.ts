import { Prng } from '../../../dataplane/common/prng.ts';
import { GossipNode } from '../../../dataplane/gossip/gossip.ts';
import type { MembershipEvent } from '../../../dataplane/gossip/gossip.ts';
import type { Member } from '../../../dataplane/gossip/member.ts';
import type { Message } from '../../../dataplane/gossip/message.ts';
import { localNetwork } from '../../../dataplane/gossip/options.ts';
import { namedSigner } from '../../../dataplane/gossip/testing/named-signer.ts';
import type { GossipOptions } from '../../../dataplane/gossip/options.ts';
import type { VirtualTime } from '../virtual-time.ts';

export const tickMs = 100;

/** What a node runs with, but for a shorter time of tombstones and room for more members. */
export const defaults: Omit<GossipOptions, 'id' | 'address' | 'incarnation' | 'random' | 'signer'> =
  {
    ...localNetwork,
    updateBytesMax: 1_200,
    tombstoneTicks: 6_000,
    membersMax: 20_000,
  };

export interface MemberHooks {
  send(message: Message): void;
  event(member: SimulatedMember, event: MembershipEvent): void;
}

/** One process of the membership protocol; its incarnation survives it, as in a data directory. */
export class SimulatedMember {
  readonly id: string;
  isUp = false;
  isPaused = false;
  node!: GossipNode;
  sent = 0;
  #incarnation = 0;
  #life = 0;
  #postponed: (() => void)[] = [];
  readonly #time: VirtualTime;
  readonly #random: Prng;
  readonly #hooks: MemberHooks;

  constructor(
    id: string,
    parts: { readonly time: VirtualTime; readonly random: Prng; readonly hooks: MemberHooks },
  ) {
    this.id = id;
    this.#time = parts.time;
    this.#random = parts.random;
    this.#hooks = parts.hooks;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  /** `known`: members that it knows already; then it says nothing of itself, which they would not know. */
  start(seeds: readonly string[], known: readonly Member[] = []): void {
    this.#life += 1;
    // Above every refutation of the life before: a node keeps its incarnation with each one.
    const before = this.#life === 1 ? [] : this.node.members;
    const own = before.find(({ id }) => id === this.id);
    this.#incarnation = Math.max(this.#incarnation, own?.incarnation ?? 0) + 1;
    this.isUp = true;
    this.isPaused = false;
    this.#postponed = [];
    this.node = new GossipNode({
      ...defaults,
      id: this.id,
      address: this.id,
      incarnation: this.#incarnation,
      known,
      random: new Prng(this.#random.below(2 ** 32)),
      signer: namedSigner(this.id),
    });
    if (known.length === 0) this.node.state.set('life', String(this.#life));
    // The members that it knew are in the data directory, too.
    const peers = new Set([...seeds, ...before.map(({ id }) => id)]);
    this.node.join([...peers].map((id) => ({ id, address: id })));
    this.#pump();
    this.#scheduleTick(this.#life);
  }

  crash(): void {
    this.isUp = false;
    this.#life += 1;
  }

  resume(): void {
    this.isPaused = false;
    for (const run of this.#postponed.splice(0)) run();
  }

  run(work: () => void): void {
    const life = this.#life;
    if (!this.isUp) return;
    const guarded = (): void => {
      if (life !== this.#life) return;
      work();
      this.#pump();
    };
    if (this.isPaused) this.#postponed.push(guarded);
    else guarded();
  }

  #scheduleTick(life: number): void {
    this.#time.after(tickMs * (0.95 + 0.1 * this.#random.next()), () => {
      if (life !== this.#life) return;
      if (!this.isPaused) this.run(() => this.node.tick());
      this.#scheduleTick(life);
    });
  }

  #pump(): void {
    const { send, events } = this.node.ready();
    this.sent += send.length;
    for (const { message } of send) this.#hooks.send(message);
    for (const event of events) this.#hooks.event(this, event);
  }
}
