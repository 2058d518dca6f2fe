import { setTimeout as sleep } from 'node:timers/promises';
import { LocalError } from './errors.ts';

export interface WaitOptions {
  /** What is waited for, for the message when it does not come. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Says what went wrong when time is up: the end of a log, a status. */
  readonly explain?: () => string | Promise<string>;
}

const intervalMsDefault = 100;

/** Asks again and again until `probe` answers something other than false or undefined. */
export async function waitFor<T>(
  probe: () => Promise<T | false | undefined> | T | false | undefined,
  options: WaitOptions,
): Promise<T> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    const answer = await probe();
    if (answer !== false && answer !== undefined) return answer;
    if (options.signal?.aborted === true) {
      throw new LocalError('local.interrupted', `interrupted while waiting for ${options.what}`);
    }
    if (Date.now() > deadline) {
      const explanation = (await options.explain?.()) ?? '';
      throw new LocalError(
        'local.timeout',
        `${options.what}: not there after ${options.timeoutMs / 1000} s${explanation && `\n${explanation}`}`,
      );
    }
    await sleep(options.intervalMs ?? intervalMsDefault);
  }
}
