/**
 * The seam between what proposes commands and what replicates them. Whoever proposes knows nothing of terms, votes,
 * leaders and syncs; what replicates knows nothing of documents.
 */

/** A place in the log of a group. */
export interface Position {
  readonly term: number;
  readonly index: number;
}

/** What the commands of a group are for. Calls come in the order of the log, each in a turn of its own or of `propose`. */
export interface GroupMachine {
  /** Each proposal up to here is committed, and becomes visible now. */
  committed(upTo: number): void;
  /**
   * Proposals from here on are no longer this group's to answer, and their indexes are given out again. A refusal
   * (`isRefusal`): none of them was taken, nor will be. `OutcomeUnknownError`: another leader may
   * still commit them.
   */
  withdrawn(from: number, reason: Error): void;
  /** Nothing is committed any more: the process must end. What is outstanding stays so. */
  failed(error: Error): void;
}

/** One group, for its machine. */
export interface ReplicatedGroup {
  /** Whether commands would be refused for now; `room` waits until they are not, and rejects after a while. */
  readonly isFull: boolean;
  room(signal: AbortSignal): Promise<void>;
  /** Of the next proposal, when it comes in this turn. A command may be made for it. */
  readonly nextIndex: number;
  /**
   * Takes a command. The machine is notified of its outcome after this has returned. Returns why a group that
   * does not lead took nothing.
   */
  propose(payload: Uint8Array): Position | Error;
}

export interface Replication {
  /** A group goes on behind what its log has, and what was applied of it. Once for each group and life. */
  join(group: number, machine: GroupMachine, applied: number): ReplicatedGroup;
}
