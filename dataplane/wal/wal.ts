import type { Clock } from '../common/clock.ts';
import type { Disk } from '../disk/disk.ts';
import type { FlushedPositions, LogIndex } from './continuity.ts';
import type { WalCorruptError, RetentionHoldLostError } from './errors.ts';
import type { WalRecord } from './record.ts';
import type { EntryRange } from './segment-entries.ts';

/**
 * The write-ahead log of a node: one for all its groups (docs/internals/wal.md). Guarded invariants:
 * an append resolves only after the sync that covers it; a batch is written only after the sync of
 * the batch before it has returned; a failed write or sync is never tried again.
 */
export interface Wal {
  /** What opening found. */
  readonly recovery: Recovery;
  /**
   * Groups whose entries a damaged segment may have held, by the first such damage. From there on
   * nothing of them was handed out; `append`, `truncate` and `read` reject with it. The segment stays
   * until they are released with `Infinity`.
   */
  readonly damaged: ReadonlyMap<number, WalCorruptError>;
  /**
   * Resolves with the reason when the log can no longer be trusted (`wal.sync_failed`): the process
   * must end. Never rejects.
   */
  readonly failed: Promise<Error>;
  /** Whether `append` refuses for now; `room` waits until it does not. */
  readonly full: boolean;
  /**
   * Resolves when the records are durable; appends become durable in the order of the calls. The
   * records must stay unchanged until then. Per group, indexes follow one another and terms never go
   * back, also over truncations: anything else is a fault of the caller, and asserted. Rejects, without
   * taking anything, with `wal.full`, `wal.disk_full`, `wal.no_descriptors` or `wal.append_too_large`; with
   * the failure when the log failed. With the second and third everything that waits is refused. After a refusal each later
   * entry of the group is refused, too, until the first one that was refused comes again.
   */
  append(records: readonly WalRecord[]): Promise<void>;
  /**
   * As `append`, and takes truncations, restarts and hard states too (record.ts), in their order, with one sync. After a
   * refusal the same records come again before others of their groups.
   */
  persist(records: readonly WalRecord[]): Promise<void>;
  /** Resolves when the order to forget the group's entries from `fromIndex` on is durable. */
  truncate(group: number, fromIndex: number): Promise<void>;
  /**
   * Resolves when `append` takes records; rejects with `wal.full` when it does not for 10 s, and with
   * `wal.disk_full` or `wal.no_descriptors` at once. It checks the disk again, at most once a second.
   */
  room(signal: AbortSignal): Promise<void>;
  /**
   * Removes the oldest sealed segments whose entries are all at or below their group's index here.
   * A group without an index holds its segments: that of a dropped group is `Infinity`.
   */
  truncateFront(flushed: FlushedPositions): Promise<void>;
  /**
   * Keeps `truncateFront` from removing entries above the positions of a follower, a feed or an archive,
   * within its bounds, which are judged at each release. Throws `wal.too_many`.
   */
  hold(options: HoldOptions): RetentionHold;
  /**
   * The durable entries of a group from `from` to `to`, in order and without a gap, as they are in
   * force: what was truncated is not there. Ends earlier when `to` is not durable yet. Each segment is
   * read whole and verified; one is in memory at a time. Of a group of which nothing was left when the
   * log was opened it gives nothing: the caller knows what it has applied. Rejects with `wal.entries_gone`,
   * `wal.corrupt`, or `wal.too_many`. Payloads are views: who keeps one keeps the segment in memory.
   */
  read(range: EntryRange, signal: AbortSignal): AsyncGenerator<WalRecord, void>;
  metrics(): WalMetrics;
  /** Writes what waits, seals the tail and closes the files. Later appends are refused. */
  close(): Promise<void>;
}

export interface HoldOptions {
  /** For errors and people: who holds. */
  readonly name: string;
  /** By group: the last entry that is not needed any more. Groups that are not named are not held. */
  readonly positions: ReadonlyMap<number, number>;
  /** Of segments that only holders keep. */
  readonly bytesMax: number;
  /** Since a segment could have been released. */
  readonly ageMsMax: number;
}

export interface RetentionHold {
  /** Why nothing is held any more; a holder that is lost must start over. */
  readonly lost: RetentionHoldLostError | undefined;
  /** The group's entries up to `index` are not needed any more. Throws `wal.hold_lost`. */
  advance(group: number, index: number): void;
  /** Lets go of everything. */
  end(): void;
}

export interface Recovery {
  /** Records that the log holds, handed out or not. */
  readonly records: number;
  /** Bytes of the log that hold something. */
  readonly bytes: number;
  /** The torn tail that was cut: nothing of it had been promised to anybody. */
  readonly cut?: { readonly segment: string; readonly offset: number; readonly bytes: number };
  /** The last entry of a group that the log holds; undefined when it holds none. */
  lastIndex(group: number): LogIndex | undefined;
  /** The newest hard state of the group's member (`hardStateKind`). */
  hardState(group: number): WalRecord | undefined;
}

export interface WalMetrics {
  readonly syncs: number;
  /** Records, and bytes of batches, that were made durable since the log was opened. */
  readonly records: number;
  readonly bytes: number;
  readonly segments: number;
  readonly holders: number;
  readonly lastSyncMs: number;
  /** Bytes of records that wait for the disk. */
  readonly queueBytes: number;
}

export interface WalOptions {
  readonly disk: Disk;
  /** Of the log alone; made when it is missing. */
  readonly directory: string;
  /** Size of a new segment; a larger one is made for an append that needs it. */
  readonly segmentBytes?: number;
  /** Bytes that may wait for the disk before `append` refuses; 64 MiB when it is not given. */
  readonly queueBytesMax?: number;
  readonly clock: Clock;
  /** Uniform in [0, 1), and nothing that a client can foresee. */
  random(): number;
  /** Entries of `group` up to this index are applied already and are not handed out. Orders about entries are. */
  replayFrom(group: number): number;
  /**
   * Whether the log may open although damage took entries of this group; when not given, and when the
   * groups of the damage are not known, it does not.
   */
  isDispensable?(group: number): boolean;
  /**
   * Called in the order of the log while it is opened; the next call waits for it. A record of kind
   * `truncateKind` forgets its group's entries from its index on, one of `restartKind` all. Payloads are views that the next
   * segment overwrites: who keeps one copies it.
   */
  onRecord(record: WalRecord): void | Promise<void>;
  onProgress(doneBytes: number, totalBytes: number): void;
  /** Called after each write that was made durable, with its time and its size. */
  synced?(ms: number, bytes: number): void;
  /** Ends opening; the log itself is ended by `close`. */
  readonly signal: AbortSignal;
}

export const defaultSegmentBytes = 16 * 1_048_576;
/** Room for headers, one small batch and an index. */
export const segmentBytesMin = 8_192;
