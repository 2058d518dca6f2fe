import type { Entry, HardState, SnapshotPosition } from './entry.ts';
import { Outbox } from './outbox.ts';
import type { RaftLog } from './raft-log.ts';
import type { Persist } from './ready.ts';

/**
 * Every change of the durable state goes through here: it knows what has been handed out for
 * persisting, what has become durable, and which messages wait for it.
 */
interface Batch {
  readonly token: number;
  /** The last entry that is durable with this batch; falls when entries are truncated meanwhile. */
  last: number;
}

/** What a member continues with. */
export interface Restored {
  readonly hardState: HardState;
  readonly log: RaftLog;
}

export class Persistence {
  readonly outbox = new Outbox();
  readonly #log: RaftLog;
  #hardState: HardState;
  /** The next entry to hand out. */
  #next: number;
  #truncateFrom: number | undefined;
  #restored: SnapshotPosition | undefined;
  #outstanding: Batch[] = [];

  constructor(log: RaftLog, { term, vote, acknowledged }: HardState) {
    this.#log = log;
    this.#hardState = { term, vote, acknowledged };
    this.#next = log.last + 1;
    this.#reached();
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  /** Whether the log has everything that this node has ever acknowledged. */
  get isWhole(): boolean {
    return this.#hardState.acknowledged === undefined;
  }

  /**
   * Whether a candidate with this last entry has all that this node has ever acknowledged: a member without its former
   * log votes as it would have with it.
   */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    const { acknowledged } = this.#hardState;
    if (acknowledged !== undefined) {
      const { index, term } = acknowledged;
      if (lastTerm < term || (lastTerm === term && lastIndex < index)) return false;
    }
    return this.#log.isUpToDate(lastIndex, lastTerm);
  }

  setHardState({ term, vote }: Pick<HardState, 'term' | 'vote'>): void {
    this.#hardState = { term, vote, acknowledged: this.#hardState.acknowledged };
    this.outbox.hardStateChanged(this.#hardState);
  }

  append(entry: Entry): void {
    this.#log.append(entry);
    this.#reached();
    this.outbox.logChanged();
  }

  #reached(): void {
    const { term, vote, acknowledged } = this.#hardState;
    if (acknowledged !== undefined && this.#log.reaches(acknowledged))
      this.#hardState = { term, vote, acknowledged: undefined };
  }

  truncate(from: number): void {
    this.#log.truncate(from);
    if (from < this.#next) {
      this.#truncateFrom = Math.min(from, this.#truncateFrom ?? from);
      this.#next = from;
      for (const batch of this.#outstanding) batch.last = Math.min(batch.last, from - 1);
    }
    this.outbox.logChanged();
  }

  restore(snapshot: SnapshotPosition): void {
    this.#log.restore(snapshot);
    this.#reached();
    this.#restored = snapshot;
    this.#truncateFrom = undefined;
    this.#outstanding = [];
    this.#next = this.#log.last + 1;
    this.outbox.logChanged();
  }

  /** Everything that has changed since the last batch; undefined when nothing has. */
  take(): Persist | undefined {
    if (!this.outbox.hasChanges) return undefined;
    const { last } = this.#log;
    const { token, hardState } = this.outbox.closeBatch();
    const entries = this.#log.slice(this.#next, last, Number.POSITIVE_INFINITY);
    const truncateFrom = this.#truncateFrom;
    const snapshot = this.#restored;
    this.#next = last + 1;
    this.#truncateFrom = undefined;
    this.#restored = undefined;
    this.#outstanding.push({ token, last });
    return { token, hardState, snapshot, truncateFrom, entries };
  }

  /** The batch `token`, and every one before it, is on the medium. */
  persisted(token: number): void {
    for (const batch of this.#outstanding) {
      if (batch.token <= token) this.#log.durable = Math.max(this.#log.durable, batch.last);
    }
    this.#outstanding = this.#outstanding.filter((batch) => batch.token > token);
    this.outbox.persisted(token);
  }
}
