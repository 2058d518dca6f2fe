import { PhotonError } from '../common/errors.ts';

/** What was not taken: it is as if nobody had asked. */
export const isRefusal = (error: unknown): error is Error =>
  error instanceof Error && 'isRefusal' in error;

/** This node does not lead the group. Nothing was proposed, and nothing was read. */
export class NotLeaderError extends PhotonError {
  override readonly code = 'replication.not_leader';
  readonly isRefusal = true;
  /** The node that leads, as far as this one knows. */
  readonly leader: string | undefined;

  constructor(leader: string | undefined, options?: { readonly cause?: unknown }) {
    super(
      leader === undefined
        ? 'The primary replica of the shard is not available: no leader is known. Repeat the query.'
        : `The primary replica of the shard is on node ${leader}, not on this node. Repeat the query.`,
      options,
    );
    this.leader = leader;
  }
}

/** Why a change of members or of the leader was not begun. */
type ChangeRefusal = 'changeInProgress' | 'notCaughtUp' | 'invalid' | 'unchanged' | 'transferring';

const whyNotChanged: Readonly<Record<ChangeRefusal, string>> = {
  changeInProgress: 'another change of the members has not ended. Repeat it later.',
  notCaughtUp: 'a new voter is too far behind the log. Add it as a learner first, and wait.',
  invalid: 'it names no voter, a member twice, or a leader that is not a voter.',
  unchanged: 'the members are as wanted already.',
  transferring: 'leadership is being handed over. Repeat it later.',
};

export class ChangeRefusedError extends PhotonError {
  override readonly code = 'replication.change_refused';
  readonly reason: ChangeRefusal;

  constructor(reason: ChangeRefusal) {
    super(`The members of the group stay as they are: ${whyNotChanged[reason]}`);
    this.reason = reason;
  }
}

/** Proposals wait for the other members; more would only wait in memory. */
export class GroupFullError extends PhotonError {
  override readonly code = 'replication.full';
  readonly isRefusal = true;

  constructor(group: number) {
    super(
      `Group ${group} takes no more writes: those before wait for other replicas. Check whether a majority of the shard's replicas runs, and repeat the write.`,
    );
  }
}

/** A member whose medium lacks what it had acknowledged: its vote could lose committed entries. */
export class MustRejoinError extends PhotonError {
  override readonly code = 'replication.must_rejoin';
  readonly group: number;

  constructor(group: number, why: string) {
    super(
      `The log of group ${group} lacks what this node acknowledged: ${why}. The node does not vote in the group. Replace it by a new member, or remove the node from the cluster and add it again with an empty data directory.`,
    );
    this.group = group;
  }
}

/** A proposal of a node that no longer leads: another leader may still commit it. */
export class OutcomeUnknownError extends PhotonError {
  override readonly code = 'replication.outcome_unknown';
  constructor() {
    super(
      'This node no longer leads the shard: the write may have been applied, or not. Read the document before you repeat it.',
    );
  }
}

/** Why a proposal ended without a commit that its node knows of, while the node itself goes on. */
export const isWithdrawal = (error: unknown): error is Error =>
  isRefusal(error) || error instanceof OutcomeUnknownError;
