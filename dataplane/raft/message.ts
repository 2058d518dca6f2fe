import type { Entry, SnapshotPosition } from './entry.ts';
import type { NodeId } from './configuration.ts';

/**
 * What members of a group say to one another. A message is data: its transport, the group that it
 * belongs to and its encoding are the business of others.
 */
interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  /** The sender's term; of a pre-vote, the term that the sender would campaign in. */
  readonly term: number;
}

/** A request for a vote; `preVote` asks whether an election could be won (thesis 9.6). */
export interface VoteRequest extends Envelope {
  readonly type: 'preVote' | 'vote';
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** An election that the leader itself wanted: who still hears the leader answers, too. */
  readonly isTransfer: boolean;
}

export interface VoteReply extends Envelope {
  readonly type: 'preVoteReply' | 'voteReply';
  readonly isGranted: boolean;
}

/** AppendEntries (thesis 3.5): `entries` follow `previousIndex`, which has `previousTerm`. */
export interface AppendRequest extends Envelope {
  readonly type: 'append';
  readonly previousIndex: number;
  readonly previousTerm: number;
  readonly entries: readonly Entry[];
  readonly committed: number;
}

/** Answers appends and snapshots. */
export interface AppendReply extends Envelope {
  readonly type: 'appendReply';
  readonly isRejected: boolean;
  /** Accepted: the sender's log equals the leader's up to here, durably. Rejected: what was asked. */
  readonly index: number;
  /** Rejected: the newest entry of the sender that can equal one of the leader's. */
  readonly hintIndex: number;
  readonly hintTerm: number;
}

/** Carries authority, the commit index and a round, which reads and leases wait for (thesis 6.4). */
export interface Heartbeat extends Envelope {
  readonly type: 'heartbeat';
  readonly round: number;
  readonly committed: number;
  /** The group is idle and complete everywhere: no more heartbeats until something happens. */
  readonly isLast: boolean;
}

export interface HeartbeatReply extends Envelope {
  readonly type: 'heartbeatReply';
  readonly round: number;
}

/**
 * The entries that a follower needs are gone. Whoever sends it transfers the state as of `snapshot`
 * beside it, and hands the message to the follower's machine when all of it has arrived.
 */
export interface SnapshotRequest extends Envelope {
  readonly type: 'snapshot';
  readonly snapshot: SnapshotPosition;
}

/** Leadership transfer: the receiver campaigns at once (thesis 3.10). */
interface TimeoutNow extends Envelope {
  readonly type: 'timeoutNow';
}

/** For the machine of another member: consensus does not read it, and any member may send it in any term. */
interface Note extends Envelope {
  readonly type: 'note';
  readonly payload: Uint8Array;
}

export type Message =
  | VoteRequest
  | VoteReply
  | AppendRequest
  | AppendReply
  | Heartbeat
  | HeartbeatReply
  | SnapshotRequest
  | TimeoutNow
  | Note;

/**
 * What must be on the medium before a message leaves the node: nothing, the term and the vote, or the
 * log, too (thesis 3.8). A leader's appends need not wait: it counts itself only when its own log is
 * durable (thesis 10.2.1).
 */
export const durabilityNeeded: Readonly<Record<Message['type'], 'none' | 'hardState' | 'log'>> = {
  preVote: 'none',
  preVoteReply: 'none',
  vote: 'hardState',
  voteReply: 'hardState',
  append: 'none',
  appendReply: 'log',
  heartbeat: 'none',
  heartbeatReply: 'hardState',
  snapshot: 'none',
  timeoutNow: 'none',
  note: 'none',
};

type WithoutEnvelope<M> = M extends Message ? Omit<M, 'from' | 'to' | 'term'> : never;

/** A message before its sender puts it into an envelope. */
export type MessageBody = WithoutEnvelope<Message>;
