import type { Configuration, NodeId } from './configuration.ts';

/**
 * What a group's log and its durable state consist of. Terms and indexes are whole numbers from 1;
 * 0 stands for "before everything". Names follow Ongaro's thesis (chapter 3).
 */
export interface EntryPosition {
  readonly term: number;
  readonly index: number;
}

/** `empty` opens a term: the first entry of each leader (thesis 6.4). */
export type Entry = EntryPosition &
  (
    | { readonly kind: 'command'; readonly payload: Uint8Array }
    | { readonly kind: 'configuration'; readonly configuration: Configuration }
    | { readonly kind: 'empty' }
  );

/** Must be durable before any message that follows from it leaves the node (thesis 3.8). */
export interface HardState {
  readonly term: number;
  /** Whom this node voted for in `term`. */
  readonly vote: NodeId | undefined;
  /**
   * How far its log was when this node gave its replica away. Entries up to there may be committed because this node had
   * them: until it has as many again, older configurations of its new log say nothing of who may lead.
   */
  readonly acknowledged: EntryPosition | undefined;
}

/** Everything up to `index` is contained in the state machine's snapshot. */
export interface SnapshotPosition {
  readonly index: number;
  readonly term: number;
  /** The newest configuration at `index`. */
  readonly configuration: Configuration;
}

/** Charged for an entry beside its payload when sizes are bounded. */
const entryOverheadBytes = 64;

export const entryBytes = (entry: Entry): number =>
  entryOverheadBytes + (entry.kind === 'command' ? entry.payload.byteLength : 0);
