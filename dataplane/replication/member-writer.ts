import { spawn } from '../common/spawn.ts';
import type { Clock } from '../common/clock.ts';
import { isRefusal } from './errors.ts';
import type { LogEntry, MemberLog } from './log.ts';
import { LogPace } from './log-pace.ts';
import type { LogTrouble } from './log-pace.ts';

/** What one member of a group wants on the medium, and what happens then. */
export interface MemberWrite {
  readonly records: readonly LogEntry[];
  done(): void;
}

/** How often a log that has no room is asked again. */
const retryMs = 1_000;

/**
 * Group commit of all members of a node: one append and one sync at a time, for everything that came during the last
 * one. Guarded invariant: writes become durable in their order, also when the log refused them for a while.
 */
export class MemberWriter {
  readonly #log: MemberLog;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #idle: () => void;
  readonly #failed: (error: unknown) => void;
  #waiting: MemberWrite[] = [];
  /** When the write began that is under way. */
  #since: number | undefined;
  #isBlocked = false;
  readonly #pace = new LogPace();

  constructor(
    log: MemberLog,
    parts: {
      readonly clock: Clock;
      readonly signal: AbortSignal;
      /** Everything that was given is on the medium. */
      idle(): void;
      /** The medium is not to be trusted any more. */
      failed(error: unknown): void;
    },
  ) {
    this.#log = log;
    this.#clock = parts.clock;
    this.#signal = parts.signal;
    this.#idle = () => parts.idle();
    this.#failed = (error) => parts.failed(error);
  }

  /** The log has refused what waits: nothing more should come. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Milliseconds since a write began that is under way. */
  get busyMs(): number | undefined {
    return this.#since === undefined ? undefined : this.#clock.now() - this.#since;
  }

  /** Why another node should lead what this one leads. */
  get trouble(): LogTrouble | undefined {
    if (this.#isBlocked) return 'full';
    return this.#pace.isSlow(this.#since, this.#clock.now()) ? 'slow' : undefined;
  }

  write(writes: readonly MemberWrite[]): void {
    this.#waiting.push(...writes);
    if (this.#since !== undefined || this.#waiting.length === 0) return;
    this.#since = this.#clock.now();
    spawn(
      () => this.#run(),
      (error) => {
        if (!this.#signal.aborted) this.#failed(error);
      },
    );
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#signal.aborted) {
      const writes = this.#waiting.splice(0);
      this.#since = this.#clock.now();
      await this.#persist(writes.flatMap(({ records }) => records));
      this.#pace.ended(this.#since, this.#clock.now());
      if (this.#signal.aborted) break;
      for (const write of writes) write.done();
    }
    this.#since = undefined;
    if (!this.#signal.aborted) this.#idle();
  }

  /** Until the log takes them. */
  async #persist(records: readonly LogEntry[]): Promise<void> {
    for (;;) {
      try {
        await this.#log.persist(records);
        this.#isBlocked = false;
        return;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        this.#isBlocked = true;
      }
      await this.#room();
      await this.#clock.yield();
    }
  }

  async #room(): Promise<void> {
    try {
      await this.#log.room(this.#signal);
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!isRefusal(error)) throw error;
      await this.#clock.sleep(retryMs, this.#signal);
    }
  }
}
