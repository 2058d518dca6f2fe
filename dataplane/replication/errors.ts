import { PhotonError } from '../common/errors.ts';

/** An append that the log did not take for want of room: it is as if nobody had asked. */
export const isRefusal = (error: unknown): error is Error =>
  error instanceof Error && 'isRefusal' in error;

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
