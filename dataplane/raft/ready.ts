import type { Entry, HardState, SnapshotPosition } from './entry.ts';
import type { NodeId } from './configuration.ts';
import type { Message } from './message.ts';

/**
 * Effects as data: what the machine wants done. The driver carries out the parts in this order,
 * `persist` before anything else that names it; it answers with `persisted`, `applied`, `fetched`.
 */
export interface Ready {
  readonly persist: Persist | undefined;
  /** May leave the node at once: whatever they need to be durable is. */
  readonly send: readonly Message[];
  /** Committed and durable here, in the order of indexes, each exactly once. */
  readonly apply: readonly Entry[];
  readonly reads: readonly ReadAnswer[];
  readonly fetch: readonly Fetch[];
  /**
   * Leadership was lost: the outcome of every proposal from this index on is unknown, for another
   * leader may still commit it. Nothing is proposed before this was handed out.
   */
  readonly withdrawnFrom: number | undefined;
}

/** One write to the log and one sync for it; batches become durable in the order of their tokens. */
export interface Persist {
  readonly token: number;
  readonly hardState: HardState | undefined;
  /** The state machine is replaced by the transferred one, and the log begins behind it. */
  readonly snapshot: SnapshotPosition | undefined;
  /** Entries from here on are void; `entries` follow. */
  readonly truncateFrom: number | undefined;
  readonly entries: readonly Entry[];
}

/**
 * A read may be answered from the state machine once `index` is applied (thesis 6.4). Undefined:
 * this node no longer leads, the read must be asked elsewhere.
 */
export interface ReadAnswer {
  readonly id: number;
  readonly index: number | undefined;
}

/** Entries that a member needs are not in memory: read `from` to `to` from the log on disk. */
export interface Fetch {
  readonly member: NodeId;
  readonly from: number;
  readonly to: number;
}

/** Why a request is not taken up. All of them are certain: nothing has been proposed. */
export interface Refusal {
  readonly refused:
    | 'notLeader'
    | 'transferring'
    | 'overloaded'
    | 'changeInProgress'
    | 'notCaughtUp'
    | 'invalidMembership'
    | 'unchanged';
  /** Who leads, as far as this node knows. */
  readonly leader: NodeId | undefined;
}
