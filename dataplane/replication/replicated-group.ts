import type { Configuration, MembershipTarget, NodeId } from '../raft/configuration.ts';
import type { GroupLog, LogEntry } from './log.ts';
import type { ChangeRefusedError, MustRejoinError, NotLeaderError } from './errors.ts';

export type { Configuration, MembershipTarget } from '../raft/configuration.ts';

/**
 * The seam between what proposes commands and what replicates them. Whoever proposes knows nothing of terms, votes,
 * elections and syncs; what replicates knows nothing of documents.
 */

/** A place in the log of a group. */
export interface Position {
  readonly term: number;
  readonly index: number;
}

/** An entry that is committed. Entries of consensus (`isOfConsensus`) change nothing and are never decoded. */
export interface CommittedEntry extends Position {
  readonly kind: number;
  readonly payload: Uint8Array;
}

/**
 * What the commands of a group are for. Calls come in the order of the log, each in a turn of its own or of `propose`;
 * none comes before `join` has returned. Each index behind `applied` of `GroupStart` is handed over exactly once in a
 * life: by `committed` when this machine proposed it and still leads, else by `replicated`.
 */
export interface GroupMachine {
  /** Each proposal up to here is committed, and becomes visible now. */
  committed(upTo: number): void;
  /**
   * The next committed entry, which this machine did not propose in its present leadership: of another leader, of an
   * earlier life, of consensus, or a withdrawn one that was committed after all.
   */
  replicated(entry: CommittedEntry): void;
  /**
   * Why the next command of `replicated` must wait, if it must: this machine has no room for it. What was proposed here
   * has its room already.
   */
  roomForNext?(): Promise<void> | undefined;
  /**
   * Proposals from here on are no longer this group's to answer, and their indexes are given out again. A refusal
   * (`isRefusal`): none of them was taken, nor will be. `OutcomeUnknownError`: another leader may
   * still commit them.
   */
  withdrawn(from: number, reason: Error): void;
  /**
   * True: this node leads, and everything that was committed before was handed over; commands may be evaluated and
   * proposed. False: it no longer does; `withdrawn` has been called.
   */
  led(isLeading: boolean): void;
  /** What the machine of another member says; `tell` sends it. */
  told?(from: NodeId, note: Uint8Array): void;
  /** Whether the state here is known to be wrong, so that this member is not to lead. */
  readonly isUnfit?: boolean;
  /** Nothing is committed any more: the process must end. What is outstanding stays so. */
  failed(error: Error): void;
}

/** Who leads a group, as far as this node knows. */
export interface GroupLeader {
  readonly node: NodeId | undefined;
  readonly isHere: boolean;
}

/** One group, for its machine. */
export interface ReplicatedGroup {
  /**
   * Whether commands would be refused for now. `room` resolves when they are not, and rejects after a while: whoever asks
   * again in a loop must be able to rely on it.
   */
  readonly isFull: boolean;
  room(signal: AbortSignal): Promise<void>;
  /** Of the next proposal, when it comes in this turn. A command may be made for it. */
  readonly nextIndex: number;
  /**
   * Takes a command. The machine is notified of its outcome after this has returned. Returns why a group that
   * does not lead took nothing.
   */
  propose(payload: Uint8Array): Position | Error;
  readonly leader: GroupLeader;
  /** Why nothing can be proposed or read here now, if so. */
  readonly refusal: NotLeaderError | undefined;
  /** Whether this node votes, as of the newest members of its log: one that is still brought up to date does not. */
  readonly isVoter: boolean;
  /** Why this member may not take part: it lost what it had promised to keep, and must join under a new identity. */
  readonly mustRejoin: MustRejoinError | undefined;
  /**
   * Undefined: a read of what was handed over until now is linearizable. Else the promise resolves when that holds, and
   * rejects with `NotLeaderError`. `isConfirmed`: most of the members say so after the call, whatever clocks say.
   */
  readable(isConfirmed?: boolean): Promise<void> | undefined;
  /** The newest members of the log, committed or not. */
  readonly configuration: Configuration;
  /** Of a leader: the last entry that each member has durably. Of others it is empty. */
  readonly matches: ReadonlyMap<NodeId, number>;
  /**
   * Begins a change of the members; its end is seen in `configuration`. New voters must have been learners that caught
   * up. Nothing is begun when an error is returned.
   */
  changeMembers(target: MembershipTarget): Position | NotLeaderError | ChangeRefusedError;
  /** Hands leadership to a voter; `led(false)` follows when that succeeds. */
  transferLeadership(to: NodeId): NotLeaderError | ChangeRefusedError | undefined;
  /** A note to the machine of another member, or of one that lost its place. It may be lost, repeated or overtaken. */
  tell(to: NodeId, note: Uint8Array): void;
  /**
   * Sends the state of now to a member whose log is right and whose state is not. Resolves with its position when the
   * member has all of it on its medium; with undefined when that failed, or is under way already.
   */
  giveState(to: NodeId): Promise<SnapshotPosition | undefined>;
  /**
   * Replaces the state of the machine by one that has arrived, as of an entry that the log here has and that the machine
   * does not have behind it. Answers whether that was so.
   */
  takeState(snapshot: SnapshotPosition): Promise<boolean>;
}

/** The state of a group at a position, for members that are behind the front of the log. */
export interface SnapshotPosition extends Position {
  /** The newest configuration at the position. */
  readonly configuration: Configuration;
}

/** The state of a group on its way between nodes. */
export interface GroupSnapshots {
  /** Sends the state of now to a member; resolves with its position when the member has all of it on its medium. */
  send(to: NodeId, signal: AbortSignal): Promise<SnapshotPosition>;
  /** Whether all of that state has arrived here. */
  has(snapshot: SnapshotPosition): boolean;
  /** Replaces the state of the machine; it is durable when this resolves. Nothing is handed over meanwhile. */
  install(snapshot: SnapshotPosition): Promise<void>;
}

/** Where a group starts in this life. */
export interface GroupStart {
  /** The last entry that the machine has durably; zeros for a new group. */
  readonly applied: Position;
  /** The members at `applied`, or those of a new group. Without one this node is the only member. */
  readonly configuration?: Configuration | undefined;
  readonly snapshots?: GroupSnapshots | undefined;
}

/** What replicates the groups of a log: it is there before the log is open. */
export interface ReplicationSource {
  /** The identifier of this node. */
  readonly node: NodeId;
  /** The first members of the metadata's group on a node that founded the cluster; empty on one that joined it. */
  readonly founders: readonly NodeId[];
  /**
   * While the log opens: each record from the applied position of its group on, in the order of the log. The payload is
   * lent. What the log has is not committed by that.
   */
  recovered(record: LogEntry): void | Promise<void>;
  /** Continues with what was recovered. */
  open(log: GroupLog): Replication;
  /** The members that the payload of an entry of consensus names (`entryKind.configuration`). */
  configurationOf(payload: Uint8Array): Configuration;
  payloadOf(configuration: Configuration): Uint8Array;
}

export interface Replication {
  /** A group continues behind what its log has, and what was applied of it. Once for each group and life. */
  join(group: number, machine: GroupMachine, start: GroupStart): ReplicatedGroup;
  /** The group is dropped, or has moved away: its machine is not called any more. */
  leave(group: number): void;
  /** Ends all groups: no machine is called any more. The log stays open. */
  stop(): Promise<void>;
}
