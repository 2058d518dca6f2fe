import { PhotonError } from '../../common/errors.ts';
import { logOrder } from '../entry-kind.ts';
import type { LogEntry, LogHold, LogRange, MemberLog } from '../log.ts';
import { RecoveredGroups } from '../recovered-groups.ts';

class FullError extends PhotonError {
  override readonly code = 'wal.full';
  readonly isRefusal = true;
  constructor() {
    super('The log is full.');
  }
}

class GoneError extends PhotonError {
  override readonly code = 'wal.entries_gone';
  constructor() {
    super('The entries were released.');
  }
}

interface Waiting {
  readonly records: readonly LogEntry[];
  readonly answer: PromiseWithResolvers<void>;
}

/** A log for members of groups whose medium is as slow as a test likes. */
export class ManualMemberLog implements MemberLog {
  /** Everything that is on the medium, in order. */
  readonly records: LogEntry[] = [];
  /** Whether it syncs on its own. */
  isQuick = false;
  isRefusing = false;
  full = false;
  /** Entries that cannot be read any more. */
  releasedTo = 0;
  readonly damaged = new Map();
  readonly failed = new Promise<Error>(() => undefined);
  readonly #waiting: Waiting[] = [];
  #rooms: (() => void)[] = [];

  readonly recovery = {
    records: 0,
    bytes: 0,
    lastIndex: (group: number) => {
      const { records } = this;
      const restart = records.findLast(
        (record) => record.group === group && record.kind === logOrder.restart,
      );
      return this.entries(group).at(-1) ?? restart;
    },
    hardState: (group: number) =>
      this.records.findLast(
        (record) => record.group === group && record.kind === logOrder.hardState,
      ),
  };

  /** Of a group, in force. */
  entries(group: number): LogEntry[] {
    const found: LogEntry[] = [];
    for (const record of this.records) {
      const { kind, index } = record;
      if (record.group !== group || kind === logOrder.hardState) continue;
      if (kind === logOrder.restart) found.length = 0;
      else if (kind === logOrder.truncate) while ((found.at(-1)?.index ?? -1) >= index) found.pop();
      else found.push(record);
    }
    return found;
  }

  append(records: readonly LogEntry[]): Promise<void> {
    return this.persist(records);
  }

  async persist(records: readonly LogEntry[]): Promise<void> {
    if (this.isRefusing) throw new FullError();
    const answer = Promise.withResolvers<void>();
    this.#waiting.push({ records, answer });
    if (this.isQuick) this.sync();
    return answer.promise;
  }

  async *read({ group, from, to }: LogRange): AsyncGenerator<LogEntry> {
    await Promise.resolve();
    if (from <= this.releasedTo) throw new GoneError();
    for (const entry of this.entries(group))
      if (entry.index >= from && entry.index <= to) yield entry;
  }

  hold(): LogHold {
    return { lost: undefined, advance: () => undefined, end: () => undefined };
  }

  /** So many of the appends that wait are durable, oldest first. */
  sync(count = Number.POSITIVE_INFINITY): void {
    for (const { records, answer } of this.#waiting.splice(
      0,
      Math.min(count, this.#waiting.length),
    )) {
      this.records.push(...records);
      answer.resolve();
    }
  }

  /** None of those that wait is taken. */
  refuse(): void {
    for (const { answer } of this.#waiting.splice(0)) answer.reject(new FullError());
  }

  fail(error: Error): void {
    for (const { answer } of this.#waiting.splice(0)) answer.reject(error);
  }

  async room(): Promise<void> {
    if (!this.full && !this.isRefusing) return;
    await new Promise<void>((resolve) => this.#rooms.push(resolve));
  }

  hasRoom(): void {
    this.full = false;
    this.isRefusing = false;
    for (const resolve of this.#rooms.splice(0)) resolve();
  }

  truncateFront(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The log of the next life, and what opening it hands out. */
  reopened(): { readonly log: ManualMemberLog; readonly recovered: RecoveredGroups } {
    const log = new ManualMemberLog();
    log.isQuick = this.isQuick;
    log.records.push(...this.records);
    const recovered = new RecoveredGroups();
    for (const record of log.records)
      if (record.kind !== logOrder.hardState) recovered.take(record);
    return { log, recovered };
  }
}
