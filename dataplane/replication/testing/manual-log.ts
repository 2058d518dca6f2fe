import { PhotonError } from '../../common/errors.ts';
import type { GroupLog, LogEntry } from '../log.ts';

class FullError extends PhotonError {
  override readonly code = 'wal.full';
  readonly isRefusal = true;
  constructor() {
    super('The log is full.');
  }
}

interface Waiting {
  readonly entry: LogEntry;
  readonly answer: PromiseWithResolvers<void>;
}

/**
 * A log whose medium is slow as long as a test likes. As the log of a node, it refuses what comes behind a refused
 * entry until that comes again.
 */
export class ManualLog implements GroupLog {
  /** What it has. */
  readonly entries: LogEntry[] = [];
  full = false;
  /** Whether it refuses what comes, while what waits may still be taken. */
  isRefusing = false;
  readonly damaged = new Map();
  readonly failed = new Promise<Error>(() => undefined);
  readonly #waiting: Waiting[] = [];
  readonly #refusedFrom = new Map<number, number>();
  readonly #rooms: (() => void)[] = [];

  readonly recovery = {
    records: 0,
    bytes: 0,
    lastIndex: (group: number) => this.entries.findLast((entry) => entry.group === group),
  };

  async append(records: readonly LogEntry[]): Promise<void> {
    for (const entry of records) {
      const refused = this.#refusedFrom.get(entry.group);
      if (this.isRefusing || (refused !== undefined && entry.index !== refused)) {
        this.#refusedFrom.set(entry.group, refused ?? entry.index);
        throw new FullError();
      }
      this.#refusedFrom.delete(entry.group);
      const answer = Promise.withResolvers<void>();
      this.#waiting.push({ entry, answer });
      await answer.promise;
    }
  }

  /** So many of those that wait are durable, oldest first. */
  sync(count = Number.POSITIVE_INFINITY): void {
    for (const { entry, answer } of this.#waiting.splice(
      0,
      Math.min(count, this.#waiting.length),
    )) {
      this.entries.push(entry);
      answer.resolve();
    }
  }

  /** None of those that wait is taken. */
  refuse(): void {
    for (const { entry, answer } of this.#waiting.splice(0)) {
      const before = this.#refusedFrom.get(entry.group) ?? entry.index;
      this.#refusedFrom.set(entry.group, Math.min(before, entry.index));
      answer.reject(new FullError());
    }
  }

  /** The medium is broken. */
  fail(error: Error): void {
    for (const { answer } of this.#waiting.splice(0)) answer.reject(error);
  }

  room(): Promise<void> {
    return new Promise((resolve) => this.#rooms.push(resolve));
  }

  hasRoom(): void {
    this.full = false;
    for (const resolve of this.#rooms.splice(0)) resolve();
  }

  truncateFront(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
