import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { parseAddress } from '../common/address.ts';
import type { HostPort } from '../common/address.ts';
import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import { Prng } from '../common/prng.ts';
import { decodeMessage, encodeMessage } from '../gossip/codec.ts';
import { GossipNode } from '../gossip/gossip.ts';
import type { MembershipEvent } from '../gossip/gossip.ts';
import { isReliable } from '../gossip/message.ts';
import type { Message } from '../gossip/message.ts';
import { localNetwork } from '../gossip/options.ts';
import type { StateSigner } from '../gossip/state-signer.ts';
import { ReplayWindow } from '../security/replay-window.ts';
import type { Opener, Sealer } from '../security/sealed-datagram.ts';

export interface DetectorOptions {
  readonly id: string;
  readonly address: string;
  /** Above every incarnation of an earlier process of this node. */
  readonly incarnation: number;
  readonly clock: Clock;
  readonly chance: Pick<Chance, 'bytes'>;
  readonly sealer: Sealer;
  /** Of the messages through sessions; above those of earlier processes. */
  readonly firstSequence: number;
  readonly opener: Opener;
  readonly signer: StateSigner;
  readonly sendDatagram: (datagram: Uint8Array, to: HostPort) => void;
  /** Through the session with a node; it is lost when there is none. */
  readonly sendReliable: (to: string, payload: Uint8Array) => void;
  readonly changed: (event: MembershipEvent) => void;
  /** What a node has done under its own certificate. */
  readonly misbehaved: (id: string, cause: Misbehaviour, detail: string) => void;
}

type Misbehaviour = 'invalidSignature' | 'replay' | 'versionRegression';

export const tickMs = 100;
/** Between the clocks of two nodes, for what they say of their starts. */
const clockDifferenceMsMax = 86_400_000;

/** All incarnations and generations in a message. */
function numbersOf(message: Message): readonly number[] {
  const digest = 'digest' in message ? message.digest : undefined;
  const delta = 'delta' in message ? message.delta : undefined;
  const members = [...message.updates, ...(digest?.members ?? []), ...(delta?.members ?? [])];
  const generations = [...(digest?.versions.values() ?? []), ...(delta?.states ?? [])];
  return [
    ...members.map(({ incarnation }) => incarnation),
    ...generations.map(({ generation }) => generation),
  ];
}

/** Beside the refusals of the seal. */
type FrameRefusal =
  | 'message'
  | 'incarnation'
  | 'replay'
  | 'stateSignature'
  | 'stateKey'
  | 'stateSize';

/**
 * The failure detector: drives the membership protocol with time, datagrams and the sessions of the mesh, and
 * turns what it says into events. Guarded invariant: a message counts as the node's that has sealed it, or
 * that the session belongs to.
 */
export class Detector {
  readonly gossip: GossipNode;
  readonly refused = new Map<FrameRefusal, number>();
  /** Messages by type. */
  readonly sent = new Map<string, number>();
  /** Changes of members by their new status. */
  readonly changes = new Map<string, number>();
  readonly #options: DetectorOptions;
  /** Of messages through sessions, by sender; as many as there are members. */
  readonly #windows = new Map<string, ReplayWindow>();
  #sequence: number;

  constructor(options: DetectorOptions) {
    const { id, address, incarnation, chance, signer } = options;
    const [seed = 0] = new Uint32Array(Uint8Array.from(chance.bytes(4)).buffer);
    this.gossip = new GossipNode({
      ...localNetwork,
      id,
      address,
      incarnation,
      random: new Prng(seed),
      signer,
    });
    this.#options = options;
    this.#sequence = options.firstSequence;
  }

  /** Called every `tickMs`. */
  tick(): void {
    this.gossip.tick();
    this.flush();
  }

  /** Nobody else is known, alive or dead: no tick has an effect. */
  get isAlone(): boolean {
    return this.gossip.size === 1;
  }

  /** A datagram from the network. */
  receiveDatagram(datagram: Uint8Array): void {
    const opened = this.#options.opener.open(datagram);
    // The opener counts what it refuses.
    if (!('refused' in opened)) this.#receive(opened.payload, opened.sender);
  }

  /** A message through the session with a node; throws what it throws for the sender. */
  receiveReliable(payload: Uint8Array, sender: string): void {
    const reader = new ByteReader(payload);
    const sequence = reader.u64();
    const message = decodeMessage(reader.bytes(reader.remaining), this.#ends(sender));
    if (this.#isNew(sequence, sender)) this.#step(message, sender);
    else this.#refuse('replay');
  }

  #isNew(sequence: number, sender: string): boolean {
    const window = this.#windows.get(sender) ?? new ReplayWindow();
    this.#windows.delete(sender);
    this.#windows.set(sender, window);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > localNetwork.membersMax && oldest !== undefined) {
      this.#windows.delete(oldest);
    }
    if (window.take(sequence)) return true;
    this.#options.misbehaved(sender, 'replay', `message ${sequence}`);
    return false;
  }

  #number(payload: Uint8Array): Uint8Array {
    this.#sequence += 1;
    return new ByteWriter().u64(this.#sequence).bytes(payload).finish();
  }

  #ends(from: string): Pick<Message, 'from' | 'to'> {
    return { from, to: this.gossip.id };
  }

  #receive(payload: Uint8Array, sender: string): void {
    try {
      this.#step(decodeMessage(payload, this.#ends(sender)), sender);
    } catch (error) {
      if (!(error instanceof PhotonError)) throw error;
      this.#refuse('message');
    }
  }

  #step(message: Message, sender: string): void {
    if (!this.#isTimely(message)) {
      this.#refuse('incarnation');
      return;
    }
    this.#compareVersions(message, sender);
    this.gossip.step(message);
    this.flush();
  }

  /** A node has what it has said itself, unless its data went back. */
  #compareVersions(message: Message, sender: string): void {
    const own = 'digest' in message ? message.digest.versions.get(sender) : undefined;
    const known = this.gossip.state.versionOf(sender);
    if (own === undefined || known === undefined) return;
    const isOlder =
      own.generation < known.generation ||
      (own.generation === known.generation && own.version < known.version);
    if (!isOlder) return;
    const detail = `${own.generation}.${own.version} after ${known.generation}.${known.version}`;
    this.#options.misbehaved(sender, 'versionRegression', detail);
  }

  /**
   * Incarnations and generations are times of starts. One from the far future would keep its member from
   * refuting what is said of it.
   */
  #isTimely(message: Message): boolean {
    const most = this.#options.clock.timeOfDay() + clockDifferenceMsMax;
    return numbersOf(message).every((number) => number <= most);
  }

  #refuse(reason: FrameRefusal): void {
    count(this.refused, reason);
  }

  /** Sends what is to be sent, and hands on what has changed. */
  flush(): void {
    const { send, events, refused } = this.gossip.ready();
    for (const { sender, owner, reason } of refused) {
      this.#refuse(reason);
      if (reason !== 'stateSignature') continue;
      this.#options.misbehaved(sender, 'invalidSignature', `state of node ${owner}`);
    }
    for (const { message, address } of send) this.#send(message, address);
    for (const event of events) {
      count(this.changes, event.status);
      this.#options.changed(event);
    }
  }

  #send(message: Message, address: string): void {
    const { sealer, sendDatagram, sendReliable } = this.#options;
    count(this.sent, message.type);
    const payload = encodeMessage(message);
    const to = isReliable[message.type] ? undefined : parseAddress(address);
    const datagram = to === undefined ? undefined : sealer.seal(payload, message.to);
    if (to === undefined || datagram === undefined) sendReliable(message.to, this.#number(payload));
    else sendDatagram(datagram, to);
  }

  /** Says good-bye by datagrams. Answers what is to be said through the session with `to`. */
  leave(): (to: string) => Uint8Array {
    this.gossip.leave();
    const own = this.gossip.members.filter(({ id }) => id === this.gossip.id);
    this.flush();
    const updates = own.map((member) => ({ ...member, accuser: undefined }));
    const { id: from } = this.gossip;
    return (to) => this.#number(encodeMessage({ type: 'gossip', from, to, updates }));
  }
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
