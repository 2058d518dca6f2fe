/**
 * Time, handed in, so that queues, leases and back-offs are tested without waiting.
 */

export interface Clock {
  /** Milliseconds of a clock that never jumps; only differences have a meaning. */
  now(): number;
  /** Milliseconds since 1970, for what others read. */
  wallMs(): number;
  /** Calls back once after delayMs; the function returned cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** A longer timer of the runtime fires at once. Waking early is harmless: callers check again. */
const timerMaxMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(delayMs, timerMaxMs));
    return () => clearTimeout(timer);
  },
};

/** Resolves after delayMs, or at once when the signal is aborted: callers check the signal. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const finish = (): void => {
      cancel();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.after(delayMs, finish);
    signal.addEventListener('abort', finish, { once: true });
  });
}
