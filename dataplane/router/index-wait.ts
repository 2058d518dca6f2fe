import { backoffMs } from '../common/backoff.ts';
import { PhotonError } from '../common/errors.ts';
import { indexBuildingCode } from '../wire/errors.ts';
import { TableError } from '../wire/table-failure.ts';
import { backoff, retryBudgetMs } from './retry.ts';
import type { Retrying } from './retry.ts';

/** Of this node, or of another one. */
export const isIndexBuilding = (error: unknown): boolean =>
  (error instanceof PhotonError && error.code === indexBuildingCode) ||
  (error instanceof TableError && error.failure.code === indexBuildingCode);

/**
 * One scan of an index that a new leader may not have built yet: it waits behind the query, within the budget of a
 * retry, and then the failure is the answer.
 */
export class IndexWait {
  readonly #options: Retrying;
  #failures = 0;
  #failedAt: number | undefined;

  constructor(options: Retrying) {
    this.#options = options;
  }

  async again(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, chance } = this.#options;
    this.#failedAt ??= clock.now();
    if (clock.now() - this.#failedAt >= retryBudgetMs) throw error;
    await clock.sleep(backoffMs(backoff, this.#failures, chance.next()), signal);
    this.#failures += 1;
  }
}
