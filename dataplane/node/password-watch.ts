import type { Clock } from '../common/clock.ts';
import type { Logger } from '../observability/logger.ts';

export interface PasswordWatchOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  readonly logger: Logger;
  /** What the node has started with. */
  readonly initial: string;
  readonly read: () => Promise<string>;
  /** Why a password may not be the admin's. */
  readonly refusalOf: (password: string) => string | undefined;
  /** Resolves when it is durable; false when it was the admin's before. */
  readonly settle: (password: string) => Promise<boolean>;
}

/** A Secret takes up to a minute to the pod: this adds little to it. */
const pollMs = 2_000;

/**
 * Follows the file with the admin's password, which a mounted Secret replaces as a whole, while the node
 * runs. A new content counts when two looks have found the same: an editor may empty a file first.
 */
export class PasswordWatch {
  readonly #options: PasswordWatchOptions;
  #settled: string;
  #seen: string;
  /** What was said last, so that it is said once. */
  #complaint: string | undefined;

  constructor(options: PasswordWatchOptions) {
    this.#options = options;
    this.#settled = options.initial;
    this.#seen = options.initial;
  }

  /** Until the signal; rejects with its reason. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(pollMs, signal);
      const complaint = await this.#look();
      if (complaint !== undefined && complaint !== this.#complaint) {
        this.#options.logger.warn('the password of the admin was not changed', {
          reason: complaint,
        });
      }
      this.#complaint = complaint;
    }
  }

  async #look(): Promise<string | undefined> {
    const { read, refusalOf, settle, logger } = this.#options;
    try {
      const password = await read();
      const isSteady = password === this.#seen;
      this.#seen = password;
      if (!isSteady || password === this.#settled) return undefined;
      const refusal = refusalOf(password);
      if (refusal !== undefined) return refusal;
      const isNew = await settle(password);
      this.#settled = password;
      if (isNew) {
        logger.info('the password of the admin was changed; open connections are kept', {});
      }
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }
}
