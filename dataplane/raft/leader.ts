import { membersOf } from './configuration.ts';
import type { Entry } from './entry.ts';
import type { NodeId } from './configuration.ts';
import { entryBytes } from './entry.ts';
import type { AppendReply, HeartbeatReply, MessageBody } from './message.ts';
import type { RaftOptions } from './options.ts';
import { PendingReads } from './pending-reads.ts';
import { Progress } from './progress.ts';
import { quorumValue } from './quorum.ts';
import type { RaftLog } from './raft-log.ts';
import type { Fetch, ReadAnswer } from './ready.ts';

/** Of an append beyond the usual size, each part of that size may take so long: 2.5 MiB a second at 100 ms and 1 MiB. */
const heartbeatsPerAppend = 4;

/**
 * What exists only while a node leads: its view of each member, and the reads and the hand-over that
 * wait. Guarded invariant: only an entry of the leader's own term is committed by counting (thesis
 * 3.6.2), and the leader counts itself only for what is durable here.
 */
export interface LeaderContext {
  readonly options: RaftOptions;
  readonly log: RaftLog;
  readonly term: number;
  send(to: NodeId, body: MessageBody): void;
}

export class Leader {
  readonly progress = new Map<NodeId, Progress>();
  readonly reads = new PendingReads();
  readonly answers: ReadAnswer[] = [];
  fetches: Fetch[] = [];
  /** The newest heartbeat round sent. */
  round = 0;
  /** Whom leadership is being handed to. */
  transferee: NodeId | undefined;
  /** Somebody was invited to campaign: an election can succeed at any time from now on. */
  hasInvited = false;
  #isTimeoutSent = false;
  readonly #context: LeaderContext;
  readonly #limits: { readonly messagesMax: number; readonly bytesMax: number };

  constructor(context: LeaderContext) {
    this.#context = context;
    const { inflightMessagesMax: messagesMax, inflightBytesMax: bytesMax } = context.options;
    this.#limits = { messagesMax, bytesMax };
    this.followConfiguration();
  }

  /** Members that came get a progress, those that went lose theirs. */
  followConfiguration(): void {
    const { log, options } = this.#context;
    const members = new Set(membersOf(log.configuration));
    for (const id of this.progress.keys()) if (!members.has(id)) this.progress.delete(id);
    for (const id of members) {
      if (this.progress.has(id)) continue;
      const progress = new Progress(log.last + 1, this.#limits);
      progress.isActive = true;
      if (id === options.id) progress.acknowledge(log.durable);
      this.progress.set(id, progress);
    }
    if (this.transferee !== undefined && !members.has(this.transferee)) this.endTransfer();
  }

  /** A majority has answered since the last time (thesis 6.2). */
  checkQuorum(): boolean {
    const { log, options } = this.#context;
    const isActive = (id: NodeId): number =>
      id === options.id || this.progress.get(id)?.isActive === true ? 1 : 0;
    const reached = quorumValue(log.configuration, isActive) === 1;
    for (const progress of this.progress.values()) progress.isActive = false;
    return reached;
  }

  /** The newest index that a quorum holds durably, when it is of this term; else undefined. */
  committable(): number | undefined {
    const { log, term } = this.#context;
    const index = quorumValue(log.configuration, (id) => this.progress.get(id)?.match ?? 0);
    return index > log.committed && log.matches(index, term) ? index : undefined;
  }

  /** The newest heartbeat round that a quorum has answered: it still led when that round began. */
  get ackedRound(): number {
    const { log, options } = this.#context;
    return quorumValue(log.configuration, (id) =>
      id === options.id ? this.round : (this.progress.get(id)?.round ?? 0),
    );
  }

  releaseReads(): void {
    if (!this.reads.isEmpty) this.answers.push(...this.reads.release(this.ackedRound));
  }

  heartbeat(isLast = false): void {
    this.round += 1;
    for (const [id, { match }] of this.progress) {
      if (id === this.#context.options.id) continue;
      const committed = Math.min(match, this.#context.log.committed);
      this.#context.send(id, { type: 'heartbeat', round: this.round, committed, isLast });
    }
    this.releaseReads();
  }

  /** Everybody gets what there is, as far as flow control lets it. */
  broadcast(): void {
    for (const [id, progress] of this.progress) {
      if (id === this.#context.options.id) continue;
      while (progress.next <= this.#context.log.last && this.#sendAppend(id, progress));
    }
  }

  /** Answers whether something went out. */
  #sendAppend(to: NodeId, progress: Progress): boolean {
    if (progress.isPaused) return false;
    const { log, options } = this.#context;
    const { next } = progress;
    if (log.termOf(next - 1) === undefined) {
      progress.becomeSnapshot(log.snapshot.index);
      this.#context.send(to, { type: 'snapshot', snapshot: log.snapshot });
      return true;
    }
    if (next <= log.last && !log.isInMemory(next)) {
      progress.isFetching = true;
      this.fetches.push({ member: to, from: next, to: log.last });
      return false;
    }
    this.#send(to, progress, log.slice(next, log.last, options.appendBytesMax));
    return true;
  }

  #send(to: NodeId, progress: Progress, entries: readonly Entry[]): void {
    const { log } = this.#context;
    const previousIndex = progress.next - 1;
    const previousTerm = log.termOf(previousIndex) ?? 0;
    const { committed } = log;
    this.#context.send(to, { type: 'append', previousIndex, previousTerm, entries, committed });
    if (progress.state === 'probe') progress.isProbing = true;
    const last = entries.at(-1);
    if (last === undefined) return;
    const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    const appends = bytes / this.#context.options.appendBytesMax;
    // Several entries that were read at once arrive as usual ones do.
    if (entries.length === 1 && appends > 2)
      progress.sentLarge(last.index, this.round + Math.ceil(appends * heartbeatsPerAppend));
    if (progress.state !== 'replicate') return;
    progress.next = last.index + 1;
    progress.inflights.add(last.index, bytes);
  }

  /** Entries were read from disk for a member. Undefined: they are compacted away. */
  fetched(member: NodeId, from: number, entries: readonly Entry[] | undefined): void {
    const progress = this.progress.get(member);
    if (progress === undefined || !progress.isFetching) return;
    progress.isFetching = false;
    if (progress.next !== from || progress.isPaused) return;
    const { log } = this.#context;
    const follow = entries?.every(
      ({ index, term }, position) => index === from + position && log.matches(index, term),
    );
    if (entries === undefined) {
      progress.becomeSnapshot(log.snapshot.index);
      this.#context.send(member, { type: 'snapshot', snapshot: log.snapshot });
    } else if (follow === true && entries.length > 0 && log.termOf(from - 1) !== undefined) {
      this.#send(member, progress, entries);
    }
  }

  appendReply({ from, isRejected, index, hintIndex, hintTerm }: AppendReply): void {
    const progress = this.progress.get(from);
    const { log } = this.#context;
    if (progress === undefined || index > log.last) return;
    progress.isActive = true;
    if (isRejected) {
      const isOvertaken = progress.isUnderWay(this.round) && !progress.isLarge(index + 1);
      if (progress.state === 'replicate' && isOvertaken) return;
      const meeting = log.meetingPoint(hintIndex, hintTerm);
      // The log may begin behind the end of the member's, which needs a state then.
      const hint = Math.min(meeting.index, hintIndex);
      if (progress.reject(index, hint)) this.#sendAppend(from, progress);
      return;
    }
    const isNews = progress.acknowledge(index);
    progress.inflights.freeUpTo(index);
    const reachedSnapshot = progress.state === 'snapshot' && progress.match >= log.snapshot.index;
    if (progress.state === 'probe' ? isNews || progress.isProbing : reachedSnapshot) {
      progress.becomeReplicate();
    }
    this.#finishTransfer(from, progress);
  }

  heartbeatReply({ from, round }: HeartbeatReply): void {
    const progress = this.progress.get(from);
    if (progress === undefined || round > this.round) return;
    progress.isActive = true;
    progress.round = Math.max(progress.round, round);
    // Behind a large entry that was lost nothing is taken: to send the next one would only lose time for it, too.
    if (progress.isLost(round)) progress.becomeProbe();
    if (!progress.isUnderWay(round)) this.#findLost(from, progress);
    this.releaseReads();
  }

  /** An append may have been lost: an empty one finds out, and a probe is repeated. */
  #findLost(member: NodeId, progress: Progress): void {
    progress.isProbing = false;
    if (progress.match >= this.#context.log.last) return;
    if (progress.inflights.isFull) progress.inflights.freeOldest();
    this.#sendAppend(member, progress);
  }

  /** The transfer of the state at `index` ended, or failed. It succeeded only when the member answers; else once more. */
  snapshotEnded(member: NodeId, index: number | undefined): void {
    const progress = this.progress.get(member);
    if (progress?.state !== 'snapshot') return;
    // Newer than where the log began when it was asked for.
    progress.snapshotIndex = index ?? 0;
    progress.becomeProbe();
    // Wait for its answer, or for the next heartbeat, before the next append.
    progress.isProbing = true;
  }

  beginTransfer(to: NodeId): void {
    this.transferee = to;
    this.#isTimeoutSent = false;
    const progress = this.progress.get(to);
    if (progress === undefined) return;
    this.#finishTransfer(to, progress);
    if (!this.#isTimeoutSent) this.#sendAppend(to, progress);
  }

  endTransfer(): void {
    this.transferee = undefined;
  }

  #finishTransfer(id: NodeId, { match }: Progress): void {
    if (id !== this.transferee || this.#isTimeoutSent || match < this.#context.log.last) return;
    this.#isTimeoutSent = true;
    this.invite(id);
  }

  /** Asks a voter to take over at once. */
  invite(id: NodeId): void {
    this.hasInvited = true;
    this.#context.send(id, { type: 'timeoutNow' });
  }

  /** Every member has and knows everything: nothing is lost when heartbeats stop. */
  get isComplete(): boolean {
    const { last, committed, applied } = this.#context.log;
    if (committed < last || applied < last) return false;
    if (!this.reads.isEmpty || this.transferee !== undefined) return false;
    const { id: own } = this.#context.options;
    return [...this.progress].every(
      ([id, { match, round, state }]) =>
        match === last && (id === own || (state === 'replicate' && round === this.round)),
    );
  }
}
