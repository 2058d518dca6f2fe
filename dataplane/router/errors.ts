import { PhotonError } from '../common/errors.ts';

/** Nothing of a request left this node, or the other node refused it as it came: nothing was carried out. */
export class NotSentError extends PhotonError {
  readonly code = 'router.not_sent';
}

/** The other node has not answered. Whether it carried out the request is unknown. */
export class AnswerLostError extends PhotonError {
  readonly code = 'router.answer_lost';
}

export type Operation = 'read' | 'write';

/** What a query waited for did not come back in time. Nothing was carried out. */
export class PrimaryUnavailableError extends PhotonError {
  readonly code = 'router.primary_unavailable';
  constructor(operation: Operation, shard: string, reason: string) {
    super(`Cannot perform ${operation}: primary replica for ${shard} not available. ${reason}`);
  }
}

/** Of a read that any replica may answer. */
export class ReplicaUnavailableError extends PhotonError {
  readonly code = 'router.replica_unavailable';
  constructor(shard: string, reason: string) {
    super(`Cannot perform read: no replica for ${shard} is available. ${reason}`);
  }
}

/** The write was applied, or not. */
export class WriteOutcomeUnknownError extends PhotonError {
  readonly code = 'router.outcome_unknown';
  constructor(shard: string) {
    super(
      `Cannot perform write: lost contact with primary replica for ${shard}. The write may have been applied, or not: read the document before you repeat it.`,
    );
  }
}
