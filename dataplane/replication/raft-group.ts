import type { Clock } from '../common/clock.ts';
import { spawn } from '../common/spawn.ts';
import type { NodeId } from '../raft/configuration.ts';
import { Lease } from '../raft/lease.ts';
import type { Entry, SnapshotPosition } from '../raft/entry.ts';
import type { Message } from '../raft/message.ts';
import type { RaftOptions } from '../raft/options.ts';
import { Raft } from '../raft/raft.ts';
import type { Fetch, Persist, Ready, Refusal } from '../raft/ready.ts';
import { ChangeRefusedError, GroupFullError, NotLeaderError } from './errors.ts';
import { HandOver } from './hand-over.ts';
import { hardStateRecord, recordsOf } from './member-records.ts';
import type { MemberWrite } from './member-writer.ts';
import { ReadIndex } from './read-index.ts';
import type { RecoveredMember } from './recovered-groups.ts';
import type {
  Configuration,
  GroupLeader,
  GroupMachine,
  MembershipTarget,
  Position,
  ReplicatedGroup,
} from './replicated-group.ts';

/** What a group wants from its node, of one turn. */
export interface Effects {
  write(write: MemberWrite): void;
  send(message: Message): void;
  fetch(fetch: Fetch): void;
  install(installed: Installation): void;
  /** The log writes: what comes meanwhile goes there, and to the members, together. */
  readonly isLogBusy: boolean;
  /** Milliseconds for which proposals wait for the commit of those before them. */
  readonly gatherMsMax: number;
}

/** A state that was transferred, and what the log is to have when the machine has it. */
export interface Installation {
  readonly persist: Persist;
  readonly snapshot: SnapshotPosition;
  readonly committed: number;
}

export interface RaftGroupOptions {
  readonly group: number;
  readonly clock: Clock;
  readonly raft: RaftOptions;
  readonly tickMs: number;
  readonly machine: GroupMachine;
  readonly member: RecoveredMember;
  readonly isLogFull: () => boolean;
  tell(to: NodeId, note: Uint8Array): void;
  giveState(to: NodeId): Promise<SnapshotPosition | undefined>;
  /** Whether all of a state has arrived; and puts it in the place of the machine's. */
  hasState(snapshot: SnapshotPosition): boolean;
  installState(snapshot: SnapshotPosition): Promise<void>;
  room(signal: AbortSignal): Promise<void>;
  /** Something is to be done in this group, soon. */
  touched(): void;
}

/** Two clocks differ in speed by at most this much, while a lease lasts. */
const clockDriftMax = 0.05;
/** The commit index reaches the medium with the next write after so many entries. */
const commitLagMax = 64;
/** How often a group whose proposals wait for the other members is looked at, and for how long. */
const roomPollMs = 20;
const roomWaitMsMax = 10_000;
/** Rounds of effects of one group in one turn: others come, too. */
const roundsMax = 8;

/**
 * One group of several nodes: carries out what the machine of consensus wants, and keeps its clock. Guarded invariants:
 * nothing is sent before what it promises is durable; reads are answered under a lease that is known to hold.
 */
export class RaftGroup implements ReplicatedGroup {
  readonly group: number;
  readonly raft: Raft;
  readonly mustRejoin = undefined;
  readonly #options: RaftGroupOptions;
  readonly #handOver: HandOver;
  readonly #reads = new ReadIndex();
  readonly #lease: Lease;
  #committedOnMedium: number;
  /** Of a leader: the newest entry that went to the members, and when. */
  #sent = { last: 0, atMs: 0 };
  /** Committed entries that the machine has no room for. */
  #waiting: Entry[] = [];
  #refusal: NotLeaderError | undefined;
  #isInstalling = false;
  /** The state of the machine is being replaced, and the log goes on. */
  #isTakingState = false;
  #hasLeft = false;

  constructor(options: RaftGroupOptions) {
    const { raft, member, machine, tickMs } = options;
    this.#options = options;
    this.group = options.group;
    const { hardState, log } = member;
    this.#handOver = new HandOver(machine, log.applied);
    this.#committedOnMedium = hardState.committed;
    this.raft = new Raft(raft, { hardState, log });
    // A member counts the tick that comes right after it heard its leader.
    this.#lease = new Lease((raft.electionTicks - 1) * tickMs, clockDriftMax);
  }

  // ---- for its machine ------------------------------------------------------------------------

  get isFull(): boolean {
    return this.#options.isLogFull() || this.raft.isOverloaded;
  }

  async room(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (let waitedMs = 0; ; waitedMs += roomPollMs) {
      // Rejects while the log has none.
      await this.#options.room(signal);
      if (!this.isFull) return;
      if (waitedMs >= roomWaitMsMax) throw new GroupFullError(this.group);
      await clock.sleep(roomPollMs, signal);
    }
  }

  get nextIndex(): number {
    return this.raft.log.last + 1;
  }

  get leader(): GroupLeader {
    const { leaderId: node, id } = this.raft;
    return { node, isHere: node === id };
  }

  get refusal(): NotLeaderError | undefined {
    const { isLeading, isTransferring } = this.raft;
    const isReady = this.#handOver.isLed && isLeading && !isTransferring && !this.#hasLeft;
    return isReady ? undefined : this.#notLeader();
  }

  /** The same one until another node leads: many ask for it, and see only what it says. */
  #notLeader(): NotLeaderError {
    const { leaderId, id } = this.raft;
    const leader = leaderId === id ? undefined : leaderId;
    if (this.#refusal === undefined || this.#refusal.leader !== leader)
      this.#refusal = new NotLeaderError(leader);
    return this.#refusal;
  }

  propose(payload: Uint8Array): Position | Error {
    const { refusal, raft } = this;
    if (refusal !== undefined) return refusal;
    const proposed = raft.propose([payload]);
    if ('refused' in proposed) return this.#notLeader();
    this.#handOver.proposed(proposed.index);
    this.#options.touched();
    return { term: raft.term, index: proposed.index };
  }

  readable(isConfirmed = false): Promise<void> | undefined {
    const { refusal, raft } = this;
    if (refusal !== undefined) return Promise.reject(refusal);
    const { voters, outgoing } = raft.configuration;
    const isAlone = voters.length === 1 && outgoing.length === 0 && voters[0] === raft.id;
    if (isAlone) return undefined;
    const isHeld = raft.isLeaseSound && this.#lease.isHeld(this.#options.clock.now());
    if (isHeld && !isConfirmed) return undefined;
    this.#options.touched();
    return this.#reads.ask(raft);
  }

  get configuration(): Configuration {
    return this.raft.configuration;
  }

  get isVoter(): boolean {
    const { voters, outgoing } = this.configuration;
    return voters.includes(this.raft.id) || outgoing.includes(this.raft.id);
  }

  get matches(): ReadonlyMap<NodeId, number> {
    return new Map([...this.raft.progress].map(([id, { match }]) => [id, match]));
  }

  changeMembers(target: MembershipTarget): Position | NotLeaderError | ChangeRefusedError {
    const { raft } = this;
    const changed = raft.reconfigure(target);
    if ('refused' in changed) return this.#refused(changed);
    this.#options.touched();
    return { term: raft.term, index: changed.index };
  }

  transferLeadership(to: NodeId): NotLeaderError | ChangeRefusedError | undefined {
    const refused = this.raft.transferTo(to);
    if (refused !== undefined) return this.#refused(refused);
    this.#options.touched();
    return undefined;
  }

  #refused({ refused }: Refusal): NotLeaderError | ChangeRefusedError {
    if (refused === 'notLeader' || refused === 'overloaded') return this.#notLeader();
    return new ChangeRefusedError(refused === 'invalidMembership' ? 'invalid' : refused);
  }

  tell(to: NodeId, note: Uint8Array): void {
    if (!this.#hasLeft) this.#options.tell(to, note);
  }

  giveState(to: NodeId): Promise<SnapshotPosition | undefined> {
    return this.#options.giveState(to);
  }

  async takeState(snapshot: SnapshotPosition): Promise<boolean> {
    const { raft } = this;
    const { committed, durable } = raft.log;
    const isKnown = snapshot.index <= Math.min(committed, durable);
    const isBusy = this.#hasLeft || this.#isInstalling || this.#isTakingState;
    if (isBusy || !isKnown || snapshot.index < this.#handOver.last || raft.role === 'leader')
      return false;
    if (!this.#options.hasState(snapshot)) return false;
    this.#isTakingState = true;
    raft.isApplyPaused = true;
    await this.#options.installState(snapshot);
    this.#isTakingState = false;
    this.#handOver.installed(snapshot.index);
    this.#waiting = this.#waiting.filter(({ index }) => index > snapshot.index);
    raft.restored(snapshot.index);
    if (!this.#hasLeft) this.#handOverEntries();
    this.#options.touched();
    return true;
  }

  // ---- for its node ---------------------------------------------------------------------------

  /** Whether time matters to it. */
  get isAwake(): boolean {
    return !this.raft.isQuiescent;
  }

  /** The newest entry that its machine has. */
  get handedOver(): number {
    return this.#handOver.last;
  }

  /** Whether the machine's state is being replaced beside the log. */
  get isTakingState(): boolean {
    return this.#isTakingState;
  }

  /** It sleeps: entries are read from the log when somebody wants them again. */
  rest(): void {
    this.raft.log.shrink(0);
  }

  told(from: NodeId, note: Uint8Array): void {
    if (!this.#hasLeft) this.#options.machine.told?.(from, note);
  }

  /** Carries out what is to be done; answers whether something is left for the next turn. */
  turn(effects: Effects): boolean {
    this.#reads.close();
    this.raft.isGathering = effects.isLogBusy || this.#isRoundOpen(effects.gatherMsMax);
    for (let rounds = 0; rounds < roundsMax; rounds += 1) {
      if (this.#hasLeft || this.#isInstalling || !this.raft.hasReady) return false;
      this.#carryOut(this.raft.ready(), effects);
      const { rounds: heartbeats } = this.raft;
      if (heartbeats !== undefined) this.#lease.acked(heartbeats.acked);
    }
    return this.raft.hasReady;
  }

  /** Whether it holds proposals back, for others to go with them. */
  get isHolding(): boolean {
    return this.raft.isGathering && this.raft.hasChanges;
  }

  /**
   * What a leader sent last is on its way: what is proposed meanwhile goes together, since each append costs every member
   * a turn, a write to the log and two messages, however many entries it has.
   */
  #isRoundOpen(msMax: number): boolean {
    const { raft } = this;
    if (raft.role !== 'leader' || raft.log.committed >= this.#sent.last) return false;
    return this.#options.clock.now() - this.#sent.atMs < msMax;
  }

  #carryOut(ready: Ready, effects: Effects): void {
    const { persist, send, apply, reads, fetch, withdrawnFrom } = ready;
    if (withdrawnFrom !== undefined) {
      this.#lease.end();
      this.#handOver.withdrawn(withdrawnFrom);
    }
    if (persist !== undefined) this.#persist(persist, effects);
    const heartbeat = send.findLast(({ type }) => type === 'heartbeat');
    if (heartbeat?.type === 'heartbeat')
      this.#lease.sent(heartbeat.round, this.#options.clock.now());
    for (const message of send) effects.send(message);
    this.#apply(apply);
    for (const each of fetch) effects.fetch(each);
    for (const answer of reads) this.#reads.answered(answer, this.raft.leaderId);
    this.#reads.handedOver(this.#handOver.last);
  }

  #apply(entries: Ready['apply']): void {
    if (entries.length === 0) return;
    this.#waiting.push(...entries);
    if (!this.#isTakingState) this.#handOverEntries();
  }

  /** As far as the machine has room. */
  #handOverEntries(): void {
    const { raft } = this;
    const { count, room } = this.#handOver.entries(this.#waiting);
    const handed = this.#waiting.splice(0, count);
    raft.isApplyPaused = room !== undefined;
    raft.applied(this.#handOver.last);
    const isOpened = handed.some(({ kind, term }) => kind === 'empty' && term === raft.term);
    if (isOpened && raft.role === 'leader') this.#handOver.led(true);
    this.#reads.handedOver(this.#handOver.last);
    if (room !== undefined) this.#continueAfter(room);
  }

  #continueAfter(room: Promise<void>): void {
    spawn(
      async () => {
        await room;
        if (this.#hasLeft || this.#isInstalling || this.#isTakingState) return;
        this.#handOverEntries();
        this.#options.touched();
      },
      (error) => this.failed(error as Error),
    );
  }

  #persist(persist: Persist, effects: Effects): void {
    const { snapshot } = persist;
    const { committed } = this.raft.log;
    if (snapshot === undefined) return this.#write(persist, committed, effects);
    this.#isInstalling = true;
    // The state has them.
    this.#waiting = [];
    return effects.install({ persist, snapshot, committed });
  }

  /** The state as of the snapshot is what the machine has. */
  installed({ persist, snapshot, committed }: Installation, effects: Pick<Effects, 'write'>): void {
    this.#handOver.installed(snapshot.index);
    this.#isInstalling = false;
    this.raft.isApplyPaused = false;
    this.#write(persist, committed, effects);
    this.#options.touched();
  }

  #write(persist: Persist, committed: number, effects: Pick<Effects, 'write'>): void {
    const { raft, group } = this;
    if (raft.role === 'leader')
      this.#sent = { last: raft.log.last, atMs: this.#options.clock.now() };
    const isDue = committed >= this.#committedOnMedium + commitLagMax;
    const hardState =
      persist.hardState === undefined && !isDue && persist.snapshot === undefined
        ? undefined
        : hardStateRecord(group, persist.hardState ?? raft.hardState, committed);
    if (hardState !== undefined) this.#committedOnMedium = committed;
    effects.write({
      records: recordsOf(group, persist, hardState),
      done: () => {
        if (this.#hasLeft) return;
        raft.persisted(persist.token);
        this.#options.touched();
      },
    });
  }

  /** No call reaches the machine any more. */
  leave(): void {
    this.#hasLeft = true;
    this.#lease.end();
    this.#reads.end(undefined);
  }

  failed(error: Error): void {
    if (!this.#hasLeft) this.#handOver.failed(error);
  }
}
