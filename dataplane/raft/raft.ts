import { unreachable } from '../common/assert.ts';
import {
  isJoint,
  isValid,
  isSame,
  isVoter,
  leaveJoint,
  membersOf,
  towards,
} from './configuration.ts';
import type { Configuration, MembershipTarget, NodeId } from './configuration.ts';
import { ElectionTimer } from './election-timer.ts';
import { entryBytes } from './entry.ts';
import type { Entry, HardState } from './entry.ts';
import { commitUpTo, rejected, takeAppend, takeSnapshot } from './follower.ts';
import { Leader } from './leader.ts';
import type {
  AppendReply,
  AppendRequest,
  Heartbeat,
  HeartbeatReply,
  Message,
  MessageBody,
  SnapshotRequest,
  VoteReply,
  VoteRequest,
} from './message.ts';
import { checkOptions } from './options.ts';
import type { RaftOptions } from './options.ts';
import { Persistence } from './persistence.ts';
import type { Restored } from './persistence.ts';
import { voteOutcome } from './quorum.ts';
import type { RaftLog } from './raft-log.ts';
import type { Ready, Refusal } from './ready.ts';
import { Restraint } from './restraint.ts';

/**
 * One member of one group (Ongaro, "Consensus: Bridging Theory and Practice", 2014): a machine of
 * values. Messages, ticks and requests go in; `ready()` says what is to be done. It reads no clock, has
 * no I/O, and no message can make it throw: what a correct peer would never send is ignored.
 */
export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

export class Raft {
  readonly options: RaftOptions;
  readonly log: RaftLog;
  role: Role = 'follower';
  leaderId: NodeId | undefined;
  isQuiescent = false;
  /** The state machine has no room: `ready()` has nothing to apply. */
  isApplyPaused = false;
  /** The log is busy: entries gather here, and leave in one batch, for the log and for the members. */
  isGathering = false;
  readonly #persistence: Persistence;
  readonly #timer: ElectionTimer;
  readonly #restraint: Restraint;
  #leader: Leader | undefined;
  #votes = new Map<NodeId, boolean>();
  /** Of a leader: ticks since quorum was checked, since the last heartbeat, since something happened. */
  #quorumElapsed = 0;
  #heartbeatElapsed = 0;
  #idleTicks = 0;
  #applyNext: number;
  #withdrawnFrom: number | undefined;
  #uncommittedBytes = 0;
  readonly #refusedReads: number[] = [];

  constructor(options: RaftOptions, { hardState, log }: Restored) {
    checkOptions(options);
    this.options = options;
    this.log = log;
    this.#persistence = new Persistence(log, hardState);
    // Whoever answers a leader has a term, durably.
    this.#timer = new ElectionTimer(options, hardState.term === 0);
    this.#restraint = new Restraint(options);
    this.#applyNext = log.applied + 1;
    log.shrink(options.memoryBytesMax);
  }

  get id(): NodeId {
    return this.options.id;
  }

  get term(): number {
    return this.hardState.term;
  }

  get hardState(): HardState {
    return this.#persistence.hardState;
  }

  get configuration(): Configuration {
    return this.log.configuration;
  }

  /** Rounds of heartbeats: sent, and answered by a quorum; a driver's clock makes leases of them. */
  get rounds(): { readonly sent: number; readonly acked: number } | undefined {
    const leader = this.#leader;
    return leader === undefined ? undefined : { sent: leader.round, acked: leader.ackedRound };
  }

  /**
   * Reads may be answered under a lease: the commit index is known to be that of the group, and nobody was
   * invited to an election that the promise behind the lease does not prevent (thesis 6.4.1).
   */
  get isLeaseSound(): boolean {
    return this.#leader?.hasInvited === false && this.#hasCommittedInTerm;
  }

  /** False as soon as a message ends the leadership, also while what it withdraws is not handed out yet. */
  get isLeading(): boolean {
    return this.#leader !== undefined && this.#withdrawnFrom === undefined;
  }

  /** Leadership is being handed over: nothing is proposed meanwhile. */
  get isTransferring(): boolean {
    return this.#leader?.transferee !== undefined;
  }

  /** Proposals are refused until some are committed. */
  get isOverloaded(): boolean {
    return this.#uncommittedBytes >= this.options.uncommittedBytesMax;
  }

  /** Of a leader: how far each member is. */
  get progress(): ReadonlyMap<NodeId, Readonly<{ match: number; next: number; state: string }>> {
    return this.#leader?.progress ?? new Map();
  }

  // ---- time -----------------------------------------------------------------------------------

  tick(): void {
    if (this.isQuiescent) return;
    this.#timer.tick();
    if (this.#leader === undefined) this.#tickFollower();
    else this.#tickLeader(this.#leader);
  }

  #tickFollower(): void {
    this.#restraint.tick();
    if (!this.#mayCampaign) return;
    const { voters, outgoing } = this.configuration;
    const isAlone = voters.length === 1 && voters[0] === this.id && outgoing.length === 0;
    const isDue = isAlone ? this.role === 'follower' : this.#timer.isDue;
    if (isDue && this.mayStand) this.campaign();
  }

  #tickLeader(leader: Leader): void {
    const { heartbeatTicks } = this.options;
    this.#quorumElapsed += 1;
    if (this.#quorumElapsed >= this.#timer.quorumTicks) {
      this.#quorumElapsed = 0;
      leader.endTransfer();
      if (!leader.checkQuorum()) return this.#becomeFollower(this.term, undefined);
    }
    this.#heartbeatElapsed += 1;
    if (this.#heartbeatElapsed < heartbeatTicks) return undefined;
    this.#heartbeatElapsed = 0;
    if (!this.#quiesce(leader)) leader.heartbeat();
    return undefined;
  }

  /** Counts idle time; ends the heartbeats of a group where nothing happens. */
  #quiesce(leader: Leader): boolean {
    const { quiesceTicks, heartbeatTicks } = this.options;
    this.#idleTicks = leader.isComplete ? this.#idleTicks + heartbeatTicks : 0;
    if (quiesceTicks === undefined || this.#idleTicks < quiesceTicks) return false;
    leader.heartbeat(true);
    this.isQuiescent = true;
    return true;
  }

  /** Ends quiescence: something happened in the group, or a node that matters seems dead. */
  wake(): void {
    if (!this.isQuiescent) return;
    this.isQuiescent = false;
    this.#timer.reset();
    this.#quorumElapsed = 0;
    this.#idleTicks = 0;
    this.#heartbeatElapsed = this.options.heartbeatTicks;
  }

  /** A node seems dead. Answers whether it matters here. */
  suspect(id: NodeId): boolean {
    const { voters, outgoing } = this.configuration;
    const others = [...new Set([...voters, ...outgoing])].filter((each) => each !== id).toSorted();
    if (!voters.includes(id) && !outgoing.includes(id)) return false;
    const wasQuiescent = this.isQuiescent;
    this.wake();
    if (this.role !== 'follower' || this.leaderId !== id) return wasQuiescent;
    this.#timer.hasten(others.indexOf(this.id));
    return true;
  }

  // ---- roles ----------------------------------------------------------------------------------

  #becomeFollower(term: number, leader: NodeId | undefined): void {
    if (term > this.term) this.#persistence.setHardState({ term, vote: undefined });
    this.#leaveLeadership();
    this.role = 'follower';
    this.leaderId = leader;
    this.isQuiescent = false;
    this.#timer.restart();
  }

  #leaveLeadership(): void {
    if (this.#leader === undefined) return;
    this.#refusedReads.push(...this.#leader.reads.abandon());
    this.#leader = undefined;
    this.#withdrawnFrom = this.log.committed + 1;
    this.#uncommittedBytes = 0;
  }

  /**
   * A voter, or one whose removal is not known to be committed: its log may be the only one that can lead
   * to the end of the change (thesis 4.2.2).
   */
  get #mayCampaign(): boolean {
    if (!this.#persistence.isWhole) return false;
    const { configuration, committed } = this.log;
    return isVoter(configuration, this.id) || isVoter(this.log.configurationAt(committed), this.id);
  }

  /** False while a quarantined member leaves elections to the others. */
  get mayStand(): boolean {
    return this.#restraint.mayStand(this.configuration);
  }

  /** Stands for election, first by asking whether it could be won (thesis 9.6). */
  campaign(): void {
    if (this.role === 'leader' || !this.#mayCampaign) return;
    this.isQuiescent = false;
    if (this.role === 'candidate') this.#timer.unanswered();
    this.#timer.restart();
    this.role = 'preCandidate';
    this.leaderId = undefined;
    this.#askForVotes('preVote', this.term + 1, false);
  }

  #elect(isTransfer: boolean): void {
    this.#timer.restart();
    this.role = 'candidate';
    this.leaderId = undefined;
    this.#persistence.setHardState({ term: this.term + 1, vote: this.id });
    this.#askForVotes('vote', this.term, isTransfer);
  }

  #askForVotes(type: VoteRequest['type'], term: number, isTransfer: boolean): void {
    this.#votes = new Map([[this.id, true]]);
    const { last: lastIndex, lastTerm, configuration } = this.log;
    for (const to of membersOf(configuration)) {
      if (to === this.id || !isVoter(configuration, to)) continue;
      const body = { lastIndex, lastTerm, isTransfer };
      this.#persistence.outbox.send({ type, from: this.id, to, term, ...body });
    }
    this.#countVotes();
  }

  #countVotes(): void {
    const outcome = voteOutcome(this.configuration, this.#votes);
    const isPreVote = this.role === 'preCandidate';
    // Its own vote counts once it is durable: see `persisted`.
    const isWon = outcome === 'won' && (isPreVote || this.#persistence.outbox.isHardStateDurable);
    if (isWon) this.#timer.answered();
    if (isWon && isPreVote) this.#elect(false);
    else if (isWon) this.#lead();
    else if (outcome === 'lost') this.#becomeFollower(this.term, undefined);
  }

  #lead(): void {
    this.#restraint.reset();
    this.role = 'leader';
    this.leaderId = this.id;
    this.#quorumElapsed = 0;
    this.#heartbeatElapsed = 0;
    this.#idleTicks = 0;
    this.#uncommittedBytes = 0;
    const { options, log, term } = this;
    this.#leader = new Leader({ options, log, term, send: (to, body) => this.#send(to, body) });
    this.#append({ kind: 'empty', term, index: log.last + 1 });
    this.#leader.heartbeat();
  }

  #send(to: NodeId, body: MessageBody, term = this.term): void {
    this.#persistence.outbox.send({ ...body, from: this.id, to, term });
  }

  // ---- messages -------------------------------------------------------------------------------

  step(message: Message): void {
    if (message.to !== this.id || message.from === this.id || message.type === 'note') return;
    if (message.term < this.term) return this.#answerOldTerm(message);
    if (message.term > this.term && !this.#meetNewTerm(message)) return undefined;
    if (message.type !== 'heartbeat' || !message.isLast) this.#wakeFor(message);
    return this.#dispatch(message);
  }

  #wakeFor({ type }: Message): void {
    if (this.isQuiescent && type !== 'heartbeatReply') this.wake();
  }

  #dispatch(message: Exclude<Message, { readonly type: 'note' }>): void {
    switch (message.type) {
      case 'preVote':
      case 'vote':
        return this.#voteRequest(message);
      case 'preVoteReply':
      case 'voteReply':
        return this.#voteReply(message);
      case 'append':
      case 'heartbeat':
      case 'snapshot':
        return this.#isFromLeader(message) ? this.#follow(message) : undefined;
      case 'appendReply':
      case 'heartbeatReply':
        return this.#leader === undefined ? undefined : this.#hear(this.#leader, message);
      case 'timeoutNow':
        return this.#takeOver();
      default:
        return unreachable(message);
    }
  }

  #takeOver(): void {
    if (this.role === 'follower' && this.#mayCampaign && this.mayStand) this.#elect(true);
  }

  #follow(message: AppendRequest | Heartbeat | SnapshotRequest): void {
    const parts = { log: this.log, persistence: this.#persistence };
    if (message.type === 'heartbeat') return this.#heartbeat(message);
    if (message.type === 'append') {
      const reply = takeAppend(parts, message);
      return reply === undefined ? undefined : this.#send(message.from, reply);
    }
    const { reply, isRestored } = takeSnapshot(parts, message);
    if (isRestored) this.#applyNext = this.log.last + 1;
    return this.#send(message.from, reply);
  }

  #hear(leader: Leader, reply: AppendReply | HeartbeatReply): void {
    if (reply.type === 'heartbeatReply') return leader.heartbeatReply(reply);
    leader.appendReply(reply);
    this.#advanceCommit();
    return this.isGathering ? undefined : this.#leader?.broadcast();
  }

  /**
   * A leader of an older term learns the newer one, so that a node which campaigned alone cannot stay
   * outside permanently; an old candidate gets a refusal.
   */
  #answerOldTerm({ type, from }: Message): void {
    if (type === 'append' || type === 'heartbeat' || type === 'snapshot') {
      this.#send(from, rejected(this.log, this.log.last, this.log.lastTerm));
    } else if (type === 'preVote') {
      this.#send(from, { type: 'preVoteReply', isGranted: false });
    }
  }

  /** Answers whether the message is to be handled. */
  #meetNewTerm(message: Message): boolean {
    const { type, term, from } = message;
    if (type === 'preVote' || type === 'vote') {
      if (!message.isTransfer && this.#hearsLeader) return this.#refuseWhileLed(from);
      if (type === 'vote') this.#becomeFollower(term, undefined);
      return true;
    }
    if (type === 'preVoteReply' && message.isGranted) return true;
    const isLeader = type === 'append' || type === 'heartbeat' || type === 'snapshot';
    this.#becomeFollower(term, isLeader ? from : undefined);
    return true;
  }

  /** A member that hears its leader does not help to depose it; leases depend on this (thesis 4.2.3, 6.4.1). */
  get #hearsLeader(): boolean {
    if (this.#leader !== undefined) return true;
    return this.#timer.isSticky(this.leaderId !== undefined);
  }

  /** A member that missed the end of a quiescent group's heartbeats gets a new one. */
  #refuseWhileLed(from: NodeId): false {
    if (this.isQuiescent && this.configuration.voters.includes(from)) this.wake();
    return false;
  }

  #isFromLeader({ from }: Message): boolean {
    // Two leaders of one term cannot be; a message that says so is not believed.
    if (this.#leader !== undefined) return false;
    if (this.role !== 'follower' || this.leaderId === undefined) {
      this.#becomeFollower(this.term, from);
    }
    if (this.leaderId !== from) return false;
    this.#timer.reset();
    this.#restraint.reset();
    return true;
  }

  #voteRequest(request: VoteRequest): void {
    const { type, from, term, lastIndex, lastTerm } = request;
    const isFree =
      type === 'preVote'
        ? term > this.term
        : this.leaderId === undefined &&
          (this.hardState.vote === undefined || this.hardState.vote === from);
    const isAllowed = this.#restraint.mayVoteFor(request, this.configuration);
    const isGranted = isFree && isAllowed && this.#persistence.isUpToDate(lastIndex, lastTerm);
    if (type === 'preVote') {
      return this.#send(from, { type: 'preVoteReply', isGranted }, isGranted ? term : this.term);
    }
    if (isGranted) {
      this.#timer.restart();
      if (this.hardState.vote === undefined) this.#persistence.setHardState({ term, vote: from });
    }
    return this.#send(from, { type: 'voteReply', isGranted });
  }

  #voteReply({ type, from, term, isGranted }: VoteReply): void {
    const isAwaited =
      type === 'preVoteReply'
        ? this.role === 'preCandidate' && (!isGranted || term === this.term + 1)
        : this.role === 'candidate';
    if (!isAwaited) return;
    this.#votes.set(from, isGranted);
    this.#countVotes();
  }

  #heartbeat({ from, round, committed, isLast }: Heartbeat): void {
    commitUpTo(this.log, Math.min(committed, this.log.last));
    this.#send(from, { type: 'heartbeatReply', round });
    const { last, applied } = this.log;
    if (isLast && committed === last && applied === last) this.isQuiescent = true;
    else this.wake();
  }

  // ---- requests -------------------------------------------------------------------------------

  /** The index of the first of the commands, which follow one another; or why nothing was proposed. */
  propose(commands: readonly Uint8Array[]): { readonly index: number } | Refusal {
    const leader = this.#leader;
    if (leader === undefined || !this.isLeading) return this.#refuse('notLeader');
    if (leader.transferee !== undefined) return this.#refuse('transferring');
    if (this.isOverloaded) return this.#refuse('overloaded');
    this.wake();
    const index = this.log.last + 1;
    for (const payload of commands) {
      this.#append({ kind: 'command', payload, term: this.term, index: this.log.last + 1 });
    }
    return { index };
  }

  #append(entry: Entry): void {
    this.#persistence.append(entry);
    this.#uncommittedBytes += entryBytes(entry);
    if (entry.kind === 'configuration') this.#leader?.followConfiguration();
  }

  #refuse(refused: Refusal['refused']): Refusal {
    return { refused, leader: this.leaderId };
  }

  /**
   * Begins a change of the members: one at a time, and only after an entry of this term is committed
   * (thesis 4.1, and the correction of 2015). Members that are to vote must have been learners that
   * have caught up. The group leaves the joint phase automatically.
   */
  reconfigure(target: MembershipTarget): { readonly index: number } | Refusal {
    const leader = this.#leader;
    const { log } = this;
    if (leader === undefined) return this.#refuse('notLeader');
    if (leader.transferee !== undefined) return this.#refuse('transferring');
    const isSettled = log.newest.index <= log.committed && !isJoint(log.configuration);
    if (!isSettled || !this.#hasCommittedInTerm) return this.#refuse('changeInProgress');
    const next = towards(log.configuration, target);
    if (!isValid(next)) return this.#refuse('invalidMembership');
    if (isSame(next, log.configuration)) return this.#refuse('unchanged');
    const isReady = (id: NodeId): boolean =>
      (leader.progress.get(id)?.match ?? 0) + this.options.promotionLagMax >= log.last;
    const added = next.voters.filter((id) => !log.configuration.voters.includes(id));
    if (!added.every(isReady)) return this.#refuse('notCaughtUp');
    this.wake();
    this.#propose(next);
    return { index: log.last };
  }

  #propose(configuration: Configuration): void {
    const position = { term: this.term, index: this.log.last + 1 };
    this.#append({ kind: 'configuration', configuration, ...position });
  }

  get #hasCommittedInTerm(): boolean {
    return this.log.termOf(this.log.committed) === this.term;
  }

  /** Hands leadership to a voter; proposals are refused until it has it or an election time is over. */
  transferTo(to: NodeId): Refusal | undefined {
    const leader = this.#leader;
    if (leader === undefined) return this.#refuse('notLeader');
    if (leader.transferee !== undefined) return this.#refuse('transferring');
    if (to === this.id) return this.#refuse('unchanged');
    if (!this.configuration.voters.includes(to)) return this.#refuse('invalidMembership');
    this.wake();
    this.#quorumElapsed = 0;
    leader.beginTransfer(to);
    return undefined;
  }

  /** Asks for a linearizable read; the answer comes in `ready().reads`. */
  read(id: number): void {
    const leader = this.#leader;
    if (leader === undefined) {
      this.#refusedReads.push(id);
      return;
    }
    this.wake();
    const index = this.#hasCommittedInTerm ? this.log.committed : undefined;
    leader.reads.add(id, index, leader.round + 1);
  }

  // ---- effects --------------------------------------------------------------------------------

  ready(): Ready {
    const leader = this.#leader;
    if (leader?.reads.needsRound(leader.round) === true) leader.heartbeat();
    if (!this.isGathering) leader?.broadcast();
    const withdrawnFrom = this.#withdrawnFrom;
    this.#withdrawnFrom = undefined;
    const { log, options } = this;
    const applyUpTo = this.isApplyPaused ? 0 : Math.min(log.committed, log.durable);
    const apply = log.slice(this.#applyNext, applyUpTo, options.applyBytesMax);
    this.#applyNext += apply.length;
    const refused = this.#refusedReads.splice(0).map((id) => ({ id, index: undefined }));
    const reads = [...(leader?.answers.splice(0) ?? []), ...refused];
    const fetch = leader?.fetches ?? [];
    if (leader !== undefined) leader.fetches = [];
    const persist = this.isGathering ? undefined : this.#persistence.take();
    const send = this.#persistence.outbox.takeMessages();
    return { persist, send, apply, reads, fetch, withdrawnFrom };
  }

  /** Whether `ready()` would have something to do. */
  get hasReady(): boolean {
    const { committed, durable } = this.log;
    const leader = this.#leader;
    return (
      (this.#persistence.outbox.hasChanges && !this.isGathering) ||
      this.#persistence.outbox.hasMessages ||
      (!this.isApplyPaused && this.#applyNext <= Math.min(committed, durable)) ||
      this.#withdrawnFrom !== undefined ||
      this.#refusedReads.length > 0 ||
      (leader !== undefined &&
        (leader.answers.length > 0 ||
          leader.fetches.length > 0 ||
          leader.reads.needsRound(leader.round)))
    );
  }

  /** Whether there is something for the medium that was not handed out. */
  get hasChanges(): boolean {
    return this.#persistence.outbox.hasChanges;
  }

  /** The batch `token`, and every one before it, is on the medium. */
  persisted(token: number): void {
    this.#persistence.persisted(token);
    if (this.role === 'candidate') this.#countVotes();
    this.#leader?.progress.get(this.id)?.acknowledge(this.log.durable);
    this.#advanceCommit();
  }

  /** The state machine holds everything up to `index`. */
  applied(index: number): void {
    this.log.applied = Math.max(this.log.applied, Math.min(index, this.log.committed));
    this.log.shrink(this.options.memoryBytesMax);
  }

  /** The machine has another state, as of an entry that is committed and durable here. */
  restored(index: number): void {
    this.#applyNext = Math.max(this.#applyNext, index + 1);
    this.isApplyPaused = false;
    this.applied(index);
  }

  /** The log on disk no longer has what is at or before `index`. */
  compacted(index: number): void {
    this.log.compact(Math.min(index, this.log.applied));
  }

  /** Answers a `fetch`; undefined when the entries are compacted away. */
  fetched(member: NodeId, from: number, entries: readonly Entry[] | undefined): void {
    this.#leader?.fetched(member, from, entries);
    this.#leader?.broadcast();
  }

  snapshotEnded(member: NodeId, index: number | undefined): void {
    this.#leader?.snapshotEnded(member, index);
  }

  // ---- commitment -----------------------------------------------------------------------------

  #advanceCommit(): void {
    const leader = this.#leader;
    if (leader === undefined) return;
    for (let index = leader.committable(); index !== undefined; index = leader.committable()) {
      for (const entry of this.log.slice(this.log.committed + 1, index, Infinity)) {
        this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - entryBytes(entry));
      }
      commitUpTo(this.log, index);
      leader.reads.commitKnown(index, leader.round + 1);
      this.#configurationCommitted(leader);
      if (this.#leader === undefined) return;
    }
  }

  #configurationCommitted(leader: Leader): void {
    const { newest, committed, configuration } = this.log;
    if (newest.index > committed) return;
    if (isJoint(configuration)) return this.#propose(leaveJoint(configuration));
    if (configuration.voters.includes(this.id)) return undefined;
    // Removed: the others learn that the change is committed, and one of them takes over (4.2.2).
    leader.heartbeat();
    const [next] = [...leader.progress]
      .filter(([id, { match }]) => configuration.voters.includes(id) && match === this.log.last)
      .map(([id]) => id);
    if (next !== undefined) leader.invite(next);
    return this.#becomeFollower(this.term, undefined);
  }
}
