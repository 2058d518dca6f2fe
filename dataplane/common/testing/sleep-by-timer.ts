import type { Clock } from '../clock.ts';

/** `sleep` of a clock that has timers. */
export async function sleepByTimer(
  clock: Pick<Clock, 'timer'>,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = clock.timer(ms, resolve);
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await promise;
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', abort);
  }
}
