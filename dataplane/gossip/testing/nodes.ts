import { Prng } from '../../common/prng.ts';
import { GossipNode } from '../gossip.ts';
import type { MembershipEvent } from '../gossip.ts';
import type { Update } from '../member.ts';
import type { Message } from '../message.ts';
import type { GossipOptions } from '../options.ts';
import { namedSigner } from './named-signer.ts';

/** Nodes whose messages a test delivers, loses or repeats by hand. */
export function gossipNode(id: string, changes: Partial<GossipOptions> = {}): GossipNode {
  return new GossipNode({
    id,
    address: `${id}:1`,
    incarnation: 1,
    probePeriodTicks: 10,
    probeTimeoutTicks: 3,
    indirectProbes: 2,
    suspicionFactor: 2,
    suspicionMaxFactor: 3,
    awarenessMax: 8,
    gossipTicks: 2,
    gossipFanout: 2,
    retransmitFactor: 3,
    syncTicks: 1_000,
    updateBytesMax: 1_000,
    tombstoneTicks: 500,
    membersMax: 100,
    random: new Prng(id.charCodeAt(0)),
    signer: namedSigner(id),
    ...changes,
  });
}

export const update = (
  id: string,
  status: Update['status'],
  incarnation = 1,
  accuser?: string,
): Update => ({ id, address: `${id}:1`, status, incarnation, accuser });

/** What `from` tells `to`, in a message that asks for nothing. */
export const news = (from: string, to: string, ...updates: readonly Update[]): Message => ({
  type: 'gossip',
  from,
  to,
  updates,
});

export function tick(node: GossipNode, times = 1): void {
  for (let at = 0; at < times; at += 1) node.tick();
}

export const messagesOf = (node: GossipNode): Message[] =>
  node.ready().send.map(({ message }) => message);

export function eventsOf(node: GossipNode): string[] {
  const describe = ({ id, status }: MembershipEvent): string => `${id} ${status}`;
  return node.ready().events.map(describe);
}

export const statusOf = (node: GossipNode, id: string): string | undefined =>
  node.members.find((member) => member.id === id)?.status;

/** Several nodes with a network that delivers at once, but for those that are silent or on another side. */
export class GossipNodes {
  readonly all: ReadonlyMap<string, GossipNode>;
  readonly silent = new Set<string>();
  /** Nodes that others do not reach, nor they the others. */
  readonly otherSide = new Set<string>();
  /** Who was declared dead by whom: `b by a`. */
  readonly deaths: string[] = [];
  /** Messages by type. */
  readonly sent = new Map<string, number>();

  constructor(ids: readonly string[], changes: Partial<GossipOptions> = {}) {
    this.all = new Map(ids.map((id) => [id, gossipNode(id, changes)]));
    const [seed] = ids;
    for (const node of this.all.values()) node.join([{ id: seed ?? '', address: `${seed}:1` }]);
    this.deliver();
  }

  of(id: string): GossipNode {
    return this.all.get(id) as GossipNode;
  }

  deliver(): void {
    for (let rounds = 0; rounds < 100; rounds += 1) {
      const sent = [...this.all.values()].flatMap((node) => this.#ready(node));
      if (sent.length === 0) return;
      for (const message of sent) {
        this.sent.set(message.type, (this.sent.get(message.type) ?? 0) + 1);
        if (this.#isLost(message)) continue;
        this.all.get(message.to)?.step(message);
      }
    }
    throw new Error('the nodes do not stop talking');
  }

  #ready(node: GossipNode): Message[] {
    const { send, events } = node.ready();
    const dead = events.filter(({ status }) => status === 'dead');
    this.deaths.push(...dead.map(({ id }) => `${id} by ${node.id}`));
    return send.map(({ message }) => message);
  }

  #isLost({ from, to }: Message): boolean {
    if (this.silent.has(from) || this.silent.has(to)) return true;
    return this.otherSide.has(from) !== this.otherSide.has(to);
  }

  tick(times = 1): void {
    for (let at = 0; at < times; at += 1) {
      for (const [id, node] of this.all) if (!this.silent.has(id)) node.tick();
      this.deliver();
    }
  }
}
