/** The node's log (wal/). */
export interface GroupLog {
  /** Whether `append` refuses for now; `room` waits until it does not, and rejects after a while. */
  readonly full: boolean;
  room(signal: AbortSignal): Promise<void>;
  /**
   * Rejects without taking anything when there is no room (`isRefusal` in errors.ts), and then all later
   * entries of the group until the first that was refused comes again. Any other failure ends the process.
   */
  append(records: readonly LogEntry[]): Promise<void>;
  /** Removes what all its groups have on the medium; of a dropped group that is `Infinity`. */
  truncateFront(flushed: Pick<ReadonlyMap<number, number>, 'get'>): Promise<void>;
  /** What opening found. */
  readonly recovery: {
    readonly records: number;
    readonly bytes: number;
    lastIndex(group: number): { readonly index: number } | undefined;
  };
  /** Groups that lost entries to damage: nothing behind it was handed out, and nothing is taken. */
  readonly damaged: ReadonlyMap<number, { readonly code: string; readonly summary: string }>;
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

/** A log that also keeps what the members of groups of several nodes must remember. */
export interface MemberLog extends GroupLog {
  /**
   * As `append`, with one sync for entries, truncations, restarts and hard states (`logOrder`) in their order. After a
   * refusal the same records come again before others of their groups.
   */
  persist(records: readonly LogEntry[]): Promise<void>;
  /** Entries in force that are durable; rejects when some of them were released. */
  read(range: LogRange, signal: AbortSignal): AsyncIterable<LogEntry>;
  /** Keeps entries from being released, within bounds; a hold beyond them is lost. */
  hold(options: LogHoldOptions): LogHold;
  readonly recovery: GroupLog['recovery'] & {
    /** The newest one of the group, as a record of its kind. */
    hardState(group: number): LogEntry | undefined;
  };
}

interface LogHoldOptions {
  readonly name: string;
  /** By group: the last entry that is not needed. Groups that are not named are not held. */
  readonly positions: ReadonlyMap<number, number>;
  readonly bytesMax: number;
  readonly ageMsMax: number;
}

export interface LogHold {
  readonly lost: Error | undefined;
  /** Entries up to `index` are not needed any more. Throws when the hold is lost. */
  advance(group: number, index: number): void;
  end(): void;
}

export interface LogRange {
  readonly group: number;
  readonly from: number;
  readonly to: number;
}

export interface LogEntry {
  readonly group: number;
  readonly term: number;
  readonly index: number;
  readonly kind: number;
  readonly payload: Uint8Array;
}

/** How the log is opened: it hands out what was not applied. */
export interface LogReplay {
  /** Whether the store is empty: then the log may be, too. */
  readonly isFirst: boolean;
  replayFrom(group: number): number;
  /** Whether the node can serve without the group. */
  isDispensable(group: number): boolean;
  /** Awaited when it answers a promise, so that replay stays bounded in memory. */
  onRecord(record: LogEntry): void | Promise<void>;
  onProgress(doneBytes: number, totalBytes: number): void;
  readonly signal: AbortSignal;
}
