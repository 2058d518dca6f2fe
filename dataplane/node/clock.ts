import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../common/clock.ts';

/** The machine's clock. */
export const machineClock: Clock = {
  now: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await sleep(ms, undefined, { signal });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  },
};
