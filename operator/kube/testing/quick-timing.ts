/** Real time, but pauses between attempts are over at once; a test sees how long they were. */
import type { Timing } from '../timing.ts';

export class QuickTiming implements Timing {
  readonly pauses: number[] = [];

  now(): number {
    return performance.now();
  }

  random(): number {
    return 0.5;
  }

  sleep(delayMs: number): Promise<void> {
    this.pauses.push(delayMs);
    return new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  }
}

/** Waits until a condition holds; a test that times out fails with the condition's name. */
export async function until(what: string, holds: () => boolean, deadlineMs = 8000): Promise<void> {
  const endsAt = performance.now() + deadlineMs;
  while (!holds()) {
    if (performance.now() > endsAt) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
