import { unreachable } from '../common/assert.ts';
import { Awareness } from './awareness.ts';
import { BroadcastQueue } from './broadcast-queue.ts';
import { isPresent, supersedes } from './member.ts';
import type { Member, NodeId, Status, Update } from './member.ts';
import { MemberTable } from './member-table.ts';
import type { Acknowledgement, Message, MessageBody, PingRequest, Summary } from './message.ts';
import { checkOptions } from './options.ts';
import type { GossipOptions } from './options.ts';
import { Probe } from './probe.ts';
import type { ProbeOutcome } from './probe.ts';
import { Suspicion } from './suspicion.ts';
import type { SuspicionTimes } from './suspicion.ts';
import { VersionedState } from './versioned-state.ts';
import type { Delta, Digest, StateRefusal } from './versioned-state.ts';

/**
 * One node's part in the membership protocol: SWIM (Das 2002) with Lifeguard's local health, dynamic
 * suspicion and buddy system (Dadgar 2018), and Scuttlebutt anti-entropy (van Renesse 2008). A machine of
 * values: messages and ticks go in, messages and events come out; it reads no clock and has no I/O. What it
 * says is who *seems* alive; who is a member of the cluster is decided by consensus.
 */
export interface MembershipEvent {
  readonly id: NodeId;
  readonly status: Status;
  readonly incarnation: number;
  /** Who suspects the member or declared it dead. */
  readonly accuser: NodeId | undefined;
}

export interface GossipReady {
  readonly send: readonly { readonly message: Message; readonly address: string }[];
  readonly events: readonly MembershipEvent[];
  /** What `sender` has passed on and its owner has not signed. */
  readonly refused: readonly (StateRefusal & { readonly sender: NodeId })[];
}

/** Somebody who can be spoken to; of seeds nothing else is known. */
type Address = Pick<Member, 'id' | 'address'>;

/** A probe for another member that has not been answered. */
interface Relay {
  readonly requester: NodeId;
  readonly sequence: number;
  age: number;
}

/** Probes that are carried out for others at a time. */
const relaysMax = 256;
/** Received probes that replace own ones later. */
const creditsMax = 4;
/** Of the members that learn of a sign that one has failed, so many probe it next; about as many, since each decides. */
const doubtersWanted = 6;

export class GossipNode {
  readonly options: GossipOptions;
  readonly state: VersionedState;
  readonly #members: MemberTable;
  readonly #queue = new BroadcastQueue();
  readonly #awareness: Awareness;
  readonly #suspicions = new Map<NodeId, Suspicion>();
  readonly #relays = new Map<number, Relay>();
  #probe: Probe | undefined;
  readonly #probes: Record<ProbeOutcome, number> = { direct: 0, indirect: 0, failed: 0 };
  #seeds: readonly Address[] = [];
  #incarnation: number;
  #hasLeft = false;
  #sequence = 0;
  /** Probes that were received and have not replaced an own one yet. */
  #credits = 0;
  /** The last probe of this node was replaced: the next one is not. */
  #hasSkipped = false;
  /** Members that are probed next. */
  readonly #doubted = new Set<NodeId>();
  #sinceProbe = 0;
  #sinceGossip = 0;
  #sinceSync = 0;
  #send: { readonly message: Message; readonly address: string }[] = [];
  #events: MembershipEvent[] = [];
  #refused: GossipReady['refused'][number][] = [];

  constructor(options: GossipOptions) {
    checkOptions(options);
    this.options = options;
    this.#incarnation = options.incarnation;
    this.#awareness = new Awareness(options.awarenessMax);
    this.#members = new MemberTable(options);
    this.state = new VersionedState(options.id, options.incarnation, options.signer);
    this.#members.remember(options.known ?? []);
    this.#members.apply(this.#self('alive'));
    this.#queue.add(this.#self('alive'));
    this.#sinceProbe = options.random.below(options.probePeriodTicks);
    this.#sinceSync = options.random.below(options.syncTicks);
  }

  get id(): NodeId {
    return this.options.id;
  }

  get members(): readonly Member[] {
    return this.#members.all;
  }

  /** Of all that are known, with this node. */
  get size(): number {
    return this.#members.size;
  }

  /** 0: this node is well; each step more stretches its time-outs. */
  get localHealth(): number {
    return this.#awareness.score;
  }

  /** Probes of this node that have ended, by their outcome. */
  get probes(): Readonly<Record<ProbeOutcome, number>> {
    return this.#probes;
  }

  #self(status: Status): Update {
    const { id, address } = this.options;
    return { id, address, incarnation: this.#incarnation, status, accuser: undefined };
  }

  ready(): GossipReady {
    return {
      send: this.#send.splice(0),
      events: this.#events.splice(0),
      refused: this.#refused.splice(0),
    };
  }

  /** Asks nodes at known addresses for all that they know, and again as long as nobody is known. */
  join(seeds: readonly Address[]): void {
    this.#seeds = seeds.filter(({ id }) => id !== this.id);
    for (const seed of this.#seeds) this.#sync(seed);
  }

  /** Exchanges all that both know with a node that has just been reached. */
  greet(node: Address): void {
    if (node.id !== this.id && !this.#hasLeft) this.#sync(node);
  }

  /**
   * Something speaks against a member, such as a connection that has ended. Some of those who see it probe the member
   * next, so that it gets a few probes whatever the size of the cluster.
   */
  doubt(id: NodeId): void {
    const { length } = this.#members.present;
    if (this.options.random.below(Math.max(1, length)) < doubtersWanted) this.#doubted.add(id);
  }

  /** Says good-bye: the others need no suspicion to know. */
  leave(): void {
    this.#hasLeft = true;
    const update = this.#self('left');
    this.#members.apply(update);
    this.#queue.add(update);
    this.#gossip(this.#members.sample(2 * this.options.gossipFanout));
  }

  // ---- time -----------------------------------------------------------------------------------

  tick(): void {
    this.#tickSuspicions();
    this.#tickRelays();
    for (const id of this.#members.tick()) this.state.forget(id);
    if (this.#hasLeft) return;
    this.#tickProbe();
    this.#sinceGossip += 1;
    if (this.#sinceGossip >= this.options.gossipTicks) {
      this.#sinceGossip = 0;
      if (this.#queue.size > 0) this.#gossip(this.#members.sample(this.options.gossipFanout));
    }
    this.#sinceSync += 1;
    if (this.#sinceSync >= this.options.syncTicks) {
      this.#sinceSync = 0;
      this.#syncWithSome();
    }
  }

  /**
   * With a member that is present, and with one that is not: both sides of a healed partition hold the other
   * one for dead, and nodes that met through a seed which is gone are an island until one asks another seed.
   */
  #syncWithSome(): void {
    const [partner] = this.#members.sample(1);
    if (partner !== undefined) this.#say(partner, { type: 'summary', ...this.#summary });
    const isAway = ({ id }: Address): boolean => {
      const known = this.#members.get(id);
      return known === undefined || known.status === 'dead';
    };
    const away = [...this.#members.all, ...this.#seeds].filter(isAway);
    if (away.length > 0) this.#sync(this.options.random.pick(away));
  }

  #tickSuspicions(): void {
    for (const [id, suspicion] of this.#suspicions) {
      suspicion.tick();
      const member = this.#members.get(id);
      if (!suspicion.isOver || member === undefined) continue;
      this.#suspicions.delete(id);
      this.#believe({ ...member, status: 'dead', accuser: this.id });
    }
  }

  #tickRelays(): void {
    const { probeTimeoutTicks } = this.options;
    for (const [sequence, relay] of this.#relays) {
      relay.age += 1;
      // Early enough for the requester, which waits for the rest of its period.
      if (relay.age === probeTimeoutTicks) {
        this.#reply(relay.requester, { type: 'nack', sequence: relay.sequence });
      }
      if (relay.age > 4 * probeTimeoutTicks) this.#relays.delete(sequence);
    }
  }

  #tickProbe(): void {
    const { probePeriodTicks } = this.options;
    this.#probe?.tick();
    if (this.#probe?.isTimedOut === true) this.#probeIndirectly(this.#probe);
    this.#sinceProbe += 1;
    if (this.#sinceProbe < this.#awareness.scale(probePeriodTicks)) return;
    this.#sinceProbe = 0;
    if (this.#probe !== undefined) this.#endProbe(this.#probe);
    this.#probe = undefined;
    if (this.#isReplaced()) return;
    const target = this.#nextDoubted() ?? this.#members.nextToProbe();
    if (target === undefined) return;
    this.#sequence = (this.#sequence + 1) >>> 0;
    const timeout = this.#awareness.scale(this.options.probeTimeoutTicks);
    this.#probe = new Probe(target, this.#sequence, timeout);
    this.#say(target, { type: 'ping', sequence: this.#sequence });
  }

  /**
   * A probe proves to each of the two that the other one lives. So one that was received replaces one that this node
   * would send, but never two in a row: whoever probes this node all the time does not keep it from watching others.
   */
  #isReplaced(): boolean {
    this.#hasSkipped = !this.#hasSkipped && this.#credits > 0 && this.#doubted.size === 0;
    if (this.#hasSkipped) this.#credits -= 1;
    return this.#hasSkipped;
  }

  #nextDoubted(): Member | undefined {
    for (const id of this.#doubted) {
      this.#doubted.delete(id);
      const member = this.#members.get(id);
      if (member !== undefined && id !== this.id && isPresent(member)) return member;
    }
    return undefined;
  }

  #probeIndirectly(probe: Probe): void {
    const { id: target } = probe.target;
    const relays = this.#members.sample(this.options.indirectProbes, target);
    probe.askedOthers(relays.length);
    for (const relay of relays) {
      this.#say(relay, { type: 'pingRequest', sequence: probe.sequence, target });
    }
  }

  #endProbe(probe: Probe): void {
    this.#awareness.apply(probe.healthDelta);
    this.#probes[probe.outcome] += 1;
    const known = this.#members.get(probe.target.id);
    if (probe.isAnswered || known === undefined || !isPresent(known)) return;
    this.#believe({ ...known, status: 'suspect', accuser: this.id });
  }

  // ---- messages -------------------------------------------------------------------------------

  step(message: Message): void {
    if (message.to !== this.id || message.from === this.id) return;
    for (const update of message.updates) this.#learn(update);
    switch (message.type) {
      case 'ping':
        this.#credits = Math.min(creditsMax, this.#credits + 1);
        return this.#reply(message.from, { type: 'ack', sequence: message.sequence });
      case 'pingRequest':
        return this.#relay(message);
      case 'ack':
      case 'nack':
        return this.#answered(message);
      case 'gossip':
        return undefined;
      case 'summary':
        return this.#compare(message);
      case 'syncRequest':
        return this.#answerSync(message.from, message.digest);
      case 'syncReply':
        this.#merge(message.from, message.delta);
        return this.#reply(message.from, {
          type: 'syncDelta',
          delta: this.#missing(message.digest),
        });
      case 'syncDelta':
        return this.#merge(message.from, message.delta);
      default:
        return unreachable(message);
    }
  }

  #relay({ from, sequence, target }: PingRequest): void {
    const member = this.#members.get(target);
    if (member === undefined || target === this.id || this.#relays.size >= relaysMax) return;
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#relays.set(this.#sequence, { requester: from, sequence, age: 0 });
    this.#say(member, { type: 'ping', sequence: this.#sequence });
  }

  #answered({ type, sequence, from }: Acknowledgement): void {
    const relay = this.#relays.get(sequence);
    if (relay !== undefined) {
      if (type === 'ack') {
        this.#relays.delete(sequence);
        this.#reply(relay.requester, { type: 'ack', sequence: relay.sequence });
      }
      return;
    }
    if (this.#probe?.sequence !== sequence) return;
    if (type === 'nack') this.#probe.refused(from);
    else this.#probe.answered();
  }

  // ---- anti-entropy ---------------------------------------------------------------------------

  get #summary(): Pick<Summary, 'members' | 'states'> {
    return { members: this.#members.fingerprint, states: this.state.fingerprint };
  }

  #compare({ from, members, states }: Summary): void {
    const own = this.#summary;
    const member = this.#members.get(from);
    if (member === undefined || (members === own.members && states === own.states)) return;
    this.#sync(member);
  }

  get #digest(): Digest {
    return { versions: this.state.versions, members: this.#updates };
  }

  /** Suspicions travel with their accuser, which counts as a confirmation elsewhere. */
  get #updates(): readonly Update[] {
    return this.#members.told.map((member) => ({
      ...member,
      accuser: this.#suspicions.get(member.id)?.accuser,
    }));
  }

  #sync(partner: Address): void {
    this.#say(partner, { type: 'syncRequest', digest: this.#digest });
  }

  #missing({ versions, members }: Digest): Delta {
    const known = new Map(members.map((member) => [member.id, member]));
    const news = this.#updates.filter((update) => {
      const theirs = known.get(update.id);
      return theirs === undefined || supersedes(update, theirs);
    });
    return { states: this.state.missing(versions), members: news };
  }

  #answerSync(from: NodeId, digest: Digest): void {
    for (const update of digest.members) this.#learn(update);
    const delta = this.#missing(digest);
    this.#reply(from, { type: 'syncReply', delta, digest: this.#digest });
  }

  #merge(sender: NodeId, { members, states }: Delta): void {
    for (const update of members) this.#learn(update);
    const known = states.filter(({ id }) => this.#members.get(id) !== undefined);
    for (const refusal of this.state.merge(known)) this.#refused.push({ sender, ...refusal });
  }

  // ---- news -----------------------------------------------------------------------------------

  /** What another node says. */
  #learn(update: Update): void {
    if (update.id === this.id) return this.#defend(update);
    return this.#believe(this.#isPremature(update) ? { ...update, status: 'suspect' } : update);
  }

  /**
   * A death without a suspicion before it, of a member that is present here: whoever says so may have been cut
   * off itself. It counts as an accusation, which the member can refute.
   */
  #isPremature({ id, status, incarnation }: Update): boolean {
    const known = this.#members.get(id);
    if (status !== 'dead' || known === undefined || !isPresent(known)) return false;
    const suspicion = known.incarnation === incarnation ? this.#suspicions.get(id) : undefined;
    return suspicion === undefined || !suspicion.isEstablished;
  }

  #believe(update: Update): void {
    if (update.status === 'suspect' && this.#confirm(update)) return undefined;
    if (!this.#members.apply(update)) return undefined;
    this.#queue.add(update);
    if (update.status === 'suspect') this.#suspect(update);
    else this.#suspicions.delete(update.id);
    // Others confirm a suspicion or disprove it.
    if (update.status === 'suspect' && update.accuser !== this.id) this.doubt(update.id);
    const { id, status, incarnation, accuser } = update;
    this.#events.push({ id, status, incarnation, accuser });
    return undefined;
  }

  /** Somebody says that this node is not well: a higher incarnation refutes it (SWIM, section 4.2). */
  #defend({ status, incarnation }: Update): void {
    const isWrong = status !== 'alive' || incarnation > this.#incarnation;
    if (!isWrong || this.#hasLeft || incarnation < this.#incarnation) return;
    this.#incarnation = incarnation + 1;
    // Who is suspected may be slow to answer.
    if (status !== 'alive') this.#awareness.apply(1);
    const refutation = this.#self('alive');
    this.#members.apply(refutation);
    this.#queue.add(refutation);
  }

  /** Another accuser of what is suspected already; answers whether there was a suspicion. */
  #confirm(update: Update): boolean {
    const suspicion = this.#suspicions.get(update.id);
    const known = this.#members.get(update.id);
    if (suspicion === undefined || known?.incarnation !== update.incarnation) return false;
    if (update.accuser !== undefined && suspicion.confirm(update.accuser)) this.#queue.add(update);
    return true;
  }

  #suspect({ id, accuser }: Update): void {
    this.#suspicions.set(id, new Suspicion(this.#suspicionTimes, accuser ?? id));
  }

  get #suspicionTimes(): SuspicionTimes {
    const { suspicionFactor, suspicionMaxFactor, probePeriodTicks, indirectProbes } = this.options;
    const count = this.#members.present.length + 1;
    const scale = Math.max(1, Math.log10(Math.max(1, count)));
    const leastTicks = Math.round(suspicionFactor * scale * probePeriodTicks);
    return {
      leastTicks,
      mostTicks: leastTicks * suspicionMaxFactor,
      // In a small cluster there may be no other member to confirm it.
      confirmations: count - 2 < indirectProbes ? 0 : indirectProbes,
    };
  }

  #gossip(targets: readonly Member[]): void {
    for (const target of targets) this.#say(target, { type: 'gossip' });
  }

  #reply(to: NodeId, body: MessageBody): void {
    const member = this.#members.get(to);
    if (member !== undefined) this.#say(member, body);
  }

  /** Buddy system: a suspected or dead member learns it from each message, to refute it (Lifeguard, IV.C). */
  #accusationOf(id: NodeId): Update | undefined {
    const known = this.#members.get(id);
    if (known === undefined || known.status === 'alive') return undefined;
    return { ...known, accuser: this.#suspicions.get(id)?.accuser };
  }

  #say(to: Address, body: MessageBody): void {
    const { updateBytesMax, retransmitFactor } = this.options;
    const count = this.#members.size;
    const sendsMax = Math.ceil(retransmitFactor * Math.log10(count + 1));
    const updates = [...this.#queue.take(updateBytesMax, sendsMax, to.id)];
    const accusation = this.#accusationOf(to.id);
    if (accusation !== undefined && !updates.some(({ id }) => id === to.id)) {
      updates.unshift(accusation);
    }
    if (body.type === 'gossip' && updates.length === 0) return;
    this.#send.push({
      message: { ...body, from: this.id, to: to.id, updates },
      address: to.address,
    });
  }
}
