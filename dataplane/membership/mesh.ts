import { parseAddress } from '../common/address.ts';
import { backoffMs } from '../common/backoff.ts';
import { noBytes } from '../common/bytes.ts';
import { encodeTime } from './echo.ts';
import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import { spawn } from '../common/spawn.ts';
import { SessionRefusedError } from '../net/errors.ts';
import type { CertifiedPeer, Incoming, Peer, Session } from '../net/session.ts';
import type { Priority } from '../wire/frame.ts';
import { DuplicateNodeError, NodeQuarantinedError } from './errors.ts';
import { PeerUnreachableError, RoleRefusedError } from './errors.ts';
import { introductionCodec } from './introduction.ts';
import type { Introduction } from './introduction.ts';
import {
  certifiedRoles,
  isDecision,
  mayNotify,
  noticeNamed,
  peerNotices,
  peerRequests,
  requestNamed,
  roleRefusal,
} from './peer-requests.ts';
import type { PeerNoticeName, PeerRequestName, Role } from './peer-requests.ts';
import { Refusals } from './refusals.ts';

/**
 * One session with each other node: dials those that are wanted, keeps one session of a pair when both have
 * dialed, reconnects with back-off, and lets through what the roles of a node allow. Guarded invariants: of
 * two processes with one node ID the first one stays; no request is carried out before its sender has
 * introduced itself.
 */
export interface MeshTransport {
  dial(host: string, port: number, nodeId: string | undefined): Promise<Session>;
}

/** A node that is to be connected; the ID of a seed is not known before. */
export interface Target {
  readonly id: string | undefined;
  readonly address: string;
}

export interface PeerInfo {
  readonly id: string;
  readonly introduction: Introduction;
}

export type Handler = (
  payload: Uint8Array,
  peer: PeerInfo,
  signal: AbortSignal,
) => Promise<Uint8Array>;

export interface PeerRequestOptions {
  readonly deadlineMs?: number;
  readonly priority?: Priority;
  /** Ends the request here, and at the peer. */
  readonly signal?: AbortSignal;
}

export interface MeshOptions {
  readonly own: Peer;
  readonly clock: Clock;
  readonly chance: Pick<Chance, 'next'>;
  readonly introduction: () => Introduction;
  /** Verifies what a peer says of itself; rejects with the reason. */
  readonly verify: (peer: Peer, introduction: Introduction) => Promise<void>;
  readonly handlers: Readonly<Record<Exclude<PeerRequestName, 'introduce' | 'echo'>, Handler>>;
  readonly notices: Readonly<Record<PeerNoticeName, (payload: Uint8Array, peer: PeerInfo) => void>>;
  readonly connected: (peer: PeerInfo) => void;
  readonly disconnected: (peer: PeerInfo, reason: Error) => void;
  /** Another process has the ID of this node, and the cluster knows that one. */
  readonly duplicated: (error: DuplicateNodeError) => void;
  /** Two processes with one node ID have introduced themselves to this node. */
  readonly doubled: (id: string, detail: string) => void;
  /** Why a node is quarantined; undefined when it is not. */
  readonly quarantined: (id: string) => string | undefined;
  readonly warn: (message: string, fields: object) => void;
  /** The duration of a request that this node has sent. */
  readonly measured: (name: PeerRequestName, peerId: string, ms: number, outcome: string) => void;
}

interface Link {
  readonly session: Session;
  readonly peer: CertifiedPeer;
  /** Of the node that dialed. */
  readonly dialer: string;
  introduction: Introduction | undefined;
  /** Of the side that dialed: until the answer of the peer is verified. The peer may ask before that. */
  introducing: Promise<void> | undefined;
  isRetired: boolean;
}

interface Attempt {
  failures: number;
  /** No attempt before this time. */
  at: number;
  isUnderWay: boolean;
}

const retry = { initialMs: 200, maximumMs: 10_000 } as const;
/** The node with the smaller ID dials first, so that two sessions of a pair are rare. */
const politeMs = 1_000;
/** For requests that are under way on a session that another one replaces. */
const retireMs = 5_000;
/** From the begin of a session until the node that has dialed has introduced itself. */
const introductionMs = 10_000;
/** Of one node, with those that others are replacing: one that has been taken over cannot hold every connection. */
const sessionsOfNodeMax = 8;
/** Attempts that are under way at a time. */
const dialsMax = 16;
/** Larger ones are requests, which go in parts. */
const noticeBytesMax = 262_144;

const codeOf = (error: unknown): string => (error instanceof PhotonError ? error.code : 'internal');

export class Mesh {
  readonly #options: MeshOptions;
  #transport: MeshTransport | undefined;
  readonly #links = new Map<string, Link>();
  readonly #bySession = new Map<Session, Link>();
  readonly #attempts = new Map<string, Attempt>();
  readonly refusals: Refusals;
  #isClosed = false;

  constructor(options: MeshOptions) {
    this.#options = options;
    this.refusals = new Refusals(options.clock, options.warn);
  }

  /** The transport calls `opened`, `ended` and `handle` of this mesh. */
  use(transport: MeshTransport): void {
    this.#transport = transport;
  }

  get peers(): readonly PeerInfo[] {
    return [...this.#links.values()].flatMap((link) => infoOf(link) ?? []);
  }

  peer(id: string): PeerInfo | undefined {
    return infoOf(this.#links.get(id));
  }

  // ---- dialing --------------------------------------------------------------------------------

  /** Dials those that have no session and whose time has come; call it often. */
  tend(targets: readonly Target[]): void {
    if (this.#isClosed) return;
    const wanted = new Set(targets.map(({ address }) => address));
    for (const [address, { isUnderWay }] of this.#attempts) {
      if (!wanted.has(address) && !isUnderWay) this.#attempts.delete(address);
    }
    let underWay = [...this.#attempts.values()].filter((each) => each.isUnderWay).length;
    for (const target of targets) {
      if (underWay >= dialsMax) return;
      if (this.#isConnected(target)) continue;
      const attempt = this.#attemptOf(target);
      if (attempt.isUnderWay || attempt.at > this.#options.clock.now()) continue;
      underWay += 1;
      this.#dial(target, attempt);
    }
  }

  #isConnected({ id, address }: Target): boolean {
    if (id === this.#options.own.nodeId) return true;
    if (id !== undefined) return this.#links.has(id);
    if (address === this.#options.introduction().address) return true;
    return this.peers.some(({ introduction }) => introduction.address === address);
  }

  #attemptOf({ id, address }: Target): Attempt {
    const known = this.#attempts.get(address);
    if (known !== undefined) return known;
    const { own, clock } = this.#options;
    const isFirst = id === undefined || own.nodeId < id;
    const at = clock.now() + (isFirst ? 0 : politeMs);
    const attempt = { failures: 0, at, isUnderWay: false };
    this.#attempts.set(address, attempt);
    return attempt;
  }

  #dial({ id, address }: Target, attempt: Attempt): void {
    const { clock, chance, warn } = this.#options;
    attempt.isUnderWay = true;
    spawn(
      async () => {
        const parsed = parseAddress(address);
        if (parsed === undefined) throw new PeerUnreachableError(`${address} is no address.`);
        const session = await this.#transport?.dial(parsed.host, parsed.port, id);
        const link = session === undefined ? undefined : this.#bySession.get(session);
        if (link !== undefined) await (link.introducing = this.#introduce(link));
        this.#attempts.delete(address);
      },
      (error) => {
        attempt.isUnderWay = false;
        // Both have dialed, and the other session stays.
        if (this.#isConnected({ id, address })) return;
        attempt.failures += 1;
        attempt.at = clock.now() + backoffMs(retry, attempt.failures - 1, chance.next());
        if (attempt.failures !== 1) return;
        warn('a node cannot be connected', { address, id, reason: (error as Error).message });
      },
    );
  }

  // ---- sessions -------------------------------------------------------------------------------

  /** A session stands, dialed by this node or by the peer. */
  opened(session: Session, peer: CertifiedPeer, isDialed: boolean): void {
    const dialer = isDialed ? this.#options.own.nodeId : peer.nodeId;
    const link = {
      session,
      peer,
      dialer,
      introduction: undefined,
      introducing: undefined,
      isRetired: false,
    };
    this.#bySession.set(session, link);
    if (!isDialed) this.#bound(link);
    if (this.#isClosed) session.close(new PeerUnreachableError('The node is stopping.'));
  }

  /** A node that has dialed has a bounded number of sessions, and a bounded time until its introduction. */
  #bound(link: Link): void {
    const { session, peer } = link;
    const { clock, warn } = this.#options;
    const refuse = (sentence: string): void => {
      warn('a node is refused', { id: peer.nodeId, reason: sentence });
      session.close(new SessionRefusedError(sentence));
    };
    const own = [...this.#bySession.values()].filter((each) => each.peer.nodeId === peer.nodeId);
    if (own.length > sessionsOfNodeMax) {
      return refuse(`A node has at most ${sessionsOfNodeMax} sessions with another one.`);
    }
    clock.timer(introductionMs, () => {
      if (link.introduction !== undefined || !session.isOpen) return;
      refuse(`The node did not introduce itself within ${introductionMs} ms.`);
    });
  }

  ended(session: Session, reason: Error): void {
    const link = this.#bySession.get(session);
    this.#bySession.delete(session);
    if (reason instanceof SessionRefusedError && reason.peerCode === duplicateCode) {
      this.#options.duplicated(new DuplicateNodeError(reason.message));
    }
    if (link === undefined || this.#links.get(link.peer.nodeId) !== link) return;
    this.#links.delete(link.peer.nodeId);
    const info = infoOf(link);
    if (info !== undefined) this.#options.disconnected(info, reason);
  }

  /** A session of which one side only knows the other would count as one there, and not here. */
  async #introduce(link: Link): Promise<void> {
    try {
      await this.#introduceTo(link);
    } catch (error) {
      link.session.close(error as Error);
      throw error;
    }
  }

  /** As the side that dialed. */
  async #introduceTo(link: Link): Promise<void> {
    const { introduction } = this.#options;
    const payload = introductionCodec.encode(introduction());
    const { number, ...how } = peerRequests.introduce;
    const answer = await link.session.request(number, payload, how);
    await this.#met(link, introductionCodec.decode(answer));
  }

  async #met(link: Link, introduction: Introduction): Promise<void> {
    await this.#options.verify(link.peer, introduction);
    const { nodeId } = link.peer;
    const known = this.#links.get(nodeId);
    if (known !== undefined && known !== link) {
      await this.#refuseDuplicate(known, link, introduction);
    }
    const current = this.#links.get(nodeId);
    if (current !== undefined && current !== link) {
      if (!this.#replaces(current, link, introduction)) {
        // The peer may have sent requests through it before it knows the other one.
        link.introduction = introduction;
        this.#retire(link, new SupersededError('The nodes have another session already.'));
        return;
      }
      this.#retire(current, new SupersededError('Another session has replaced this one.'));
    }
    // The session may have ended while its peer was verified.
    if (!link.session.isOpen) return;
    link.introduction = introduction;
    this.#links.set(nodeId, link);
    this.#options.connected({ id: nodeId, introduction });
  }

  /** Of two processes with one node ID the one that is connected and answers stays. */
  async #refuseDuplicate(known: Link, link: Link, { instance, address }: Introduction) {
    if (known.introduction?.instance === instance) return;
    const { number, ...how } = peerRequests.echo;
    try {
      await known.session.request(number, noBytes, how);
    } catch {
      return;
    }
    const error = new DuplicateNodeError(
      `Node ${link.peer.nodeId} runs at ${known.introduction?.address} already, and another process at ${address} has the same node ID. Each node needs a data directory of its own; a copy of one cannot be used.`,
    );
    link.session.close(error);
    this.#options.doubled(link.peer.nodeId, `at ${known.introduction?.address} and ${address}`);
    this.#options.warn('a node is refused', {
      id: link.peer.nodeId,
      address,
      reason: error.message,
    });
    throw error;
  }

  /** Both sides decide the same: the session that the smaller ID has dialed stays, else the newer one. */
  #replaces(known: Link, link: Link, { instance }: Introduction): boolean {
    if (known.introduction?.instance !== instance) return true;
    if (known.dialer === link.dialer) return true;
    return link.dialer < known.dialer;
  }

  #retire(link: Link, reason: Error): void {
    link.isRetired = true;
    this.#options.clock.timer(retireMs, () => link.session.close(reason));
  }

  /** The node is gone: whoever waits for it need not wait any longer. */
  drop(id: string, reason: Error): void {
    this.#links.get(id)?.session.close(reason);
  }

  /** The node is about to end its session; when it does not, the session ends here. */
  retire(id: string, reason: Error): void {
    const link = this.#links.get(id);
    if (link !== undefined && !link.isRetired) this.#retire(link, reason);
  }

  /** The certificate of this node names other roles: every session is opened once more, with the new one. */
  reopen(): void {
    const reason = new SupersededError('The certificate of the node names other roles now.');
    for (const session of this.#bySession.keys()) session.close(reason);
  }

  close(reason: Error): void {
    this.#isClosed = true;
    // NB: a session that is closed leaves the map.
    for (const session of this.#bySession.keys()) session.close(reason);
  }

  // ---- requests -------------------------------------------------------------------------------

  /** Rejects with a typed error; with PeerUnreachableError when nothing was sent. */
  async request(
    id: string,
    name: PeerRequestName,
    payload: Uint8Array,
    options: PeerRequestOptions = {},
  ): Promise<Uint8Array> {
    const link = this.#links.get(id);
    if (link === undefined) {
      throw new PeerUnreachableError(`There is no connection to node ${id}.`);
    }
    const { number, ...how } = peerRequests[name];
    const { clock, measured } = this.#options;
    const startedAt = clock.now();
    try {
      const answer = await link.session.request(number, payload, { ...how, ...options });
      measured(name, id, clock.now() - startedAt, 'ok');
      return answer;
    } catch (error) {
      measured(name, id, clock.now() - startedAt, codeOf(error));
      throw error;
    }
  }

  /** Says something without waiting for an answer. False when it was not sent. */
  notify(id: string, name: PeerNoticeName, payload: Uint8Array, priority: Priority): boolean {
    const link = this.#links.get(id);
    if (link === undefined) return false;
    const { number } = peerNotices[name];
    if (payload.byteLength <= noticeBytesMax) return link.session.notify(number, payload, priority);
    spawn(
      async () => {
        await this.request(id, name, payload, { priority });
      },
      // As a notice that is lost.
      () => undefined,
    );
    return true;
  }

  /** What a peer says. What it may not say is counted, and has no effect. */
  noticed(session: Session, type: number, payload: Uint8Array): void {
    const link = this.#bySession.get(session);
    const info = infoOf(link);
    // It says that again when both sides know each other.
    if (info === undefined) return;
    const name = noticeNamed(type);
    if (name !== undefined && mayNotify(name, rolesOf(link)))
      return this.#options.notices[name](payload, info);
    const reason = 'The roles of the node do not allow what it says.';
    this.refusals.note(info.id, name ?? 'unknown', reason);
  }

  /** A request of a peer. */
  async handle(session: Session | undefined, { type, payload, peer, signal }: Incoming) {
    const name = requestNamed(type);
    const link = session === undefined ? undefined : this.#bySession.get(session);
    // A peer that did not pass is refused below.
    if (name !== 'introduce') await link?.introducing?.catch(() => undefined);
    const refusal =
      name === undefined
        ? `No request has the number ${type}. The node may be of a newer version.`
        : roleRefusal(name, rolesOf(link));
    if (name === undefined || link === undefined || refusal !== undefined) {
      const reason = refusal ?? 'The session has ended.';
      this.refusals.note(peer.nodeId, name ?? 'unknown', reason);
      throw new RoleRefusedError(reason);
    }
    if (name === 'echo') return encodeTime(this.#options.clock.timeOfDay());
    if (name === 'introduce') {
      await this.#met(link, introductionCodec.decode(payload));
      return introductionCodec.encode(this.#options.introduction());
    }
    this.#refuseQuarantined(peer.nodeId, name);
    const info = { id: peer.nodeId, introduction: link.introduction as Introduction };
    return this.#options.handlers[name](payload, info, signal);
  }

  #refuseQuarantined(id: string, name: PeerRequestName): void {
    const why = isDecision(name) ? this.#options.quarantined(id) : undefined;
    if (why === undefined) return;
    const reason = `Node ${id} is quarantined and may not send the request "${name}": it ${why}.`;
    this.refusals.note(id, name, reason);
    throw new NodeQuarantinedError(reason);
  }
}

const duplicateCode = 'membership.duplicate_node';

/** Not a fault: two nodes have dialed each other at once. */
class SupersededError extends PhotonError {
  readonly code = 'membership.superseded';
}

/** Undefined before the node has introduced itself. */
const rolesOf = (link: Link | undefined): readonly Role[] | undefined =>
  link?.introduction === undefined
    ? undefined
    : certifiedRoles(link.peer.roles, link.introduction.roles);

const infoOf = (link: Link | undefined): PeerInfo | undefined =>
  link?.introduction === undefined
    ? undefined
    : { id: link.peer.nodeId, introduction: link.introduction };
