import type { MetadataLog } from '../apply/tables.ts';
import type { Clock } from '../common/clock.ts';
import type { MetadataCommand } from '../metadata/command.ts';
import { isWithdrawal } from '../replication/errors.ts';

export interface BackgroundWorkOptions {
  readonly metadata: MetadataLog;
  readonly clock: Pick<Clock, 'sleep'>;
  failed(error: Error): void;
  readonly signal: AbortSignal;
}

/** When a change is asked for. */
export interface Condition {
  /** False when nothing is left to ask for. */
  isWanted(): boolean;
  /** Whether this node is to ask now. */
  isHere(): boolean;
}

const always: Condition = { isWanted: () => true, isHere: () => true };

/** What the log refused is asked for again. */
const againAfterMs = 1_000;

/**
 * Work that the metadata asks for beside the requests. Guarded invariant: one piece of work for each keyspace at a
 * time. After a restart each goes on where the store stands.
 */
export class BackgroundWork {
  readonly #options: BackgroundWorkOptions;
  readonly #running = new Map<number, Promise<void>>();

  constructor(options: BackgroundWorkOptions) {
    this.#options = options;
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  /** Resolves when all of it has ended. */
  async stopped(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  /** Nobody else would ask again: it waits for room in the log, or until another node has made the change. */
  async change(command: MetadataCommand, when: Condition = always): Promise<void> {
    while (when.isWanted()) {
      try {
        if (when.isHere()) {
          await this.#options.metadata.change(command);
          return;
        }
      } catch (error) {
        if (!isWithdrawal(error)) throw error;
      }
      await this.#options.clock.sleep(againAfterMs, this.signal);
    }
  }

  /**
   * It begins when the store has the change that asks for it, and what was written before: replay
   * would apply that without knowing of an index, or for one that is gone, beside what the work has
   * left in the store. Nothing begins while there is such work already.
   */
  begin(keyspace: number, work: () => Promise<void>, ended: () => void = () => undefined): void {
    const { signal } = this;
    if (signal.aborted || this.#running.has(keyspace)) return;
    const run = async (): Promise<void> => {
      try {
        await this.#options.metadata.settled();
        await work();
      } catch (error) {
        // Stopping is no failure.
        if (!signal.aborted) this.#options.failed(error as Error);
      } finally {
        this.#running.delete(keyspace);
      }
      ended();
    };
    this.#running.set(keyspace, run());
  }
}
