/**
 * Time as a capability: `node` hands in the machine's clock, tests and simulation their own. A folder
 * that is handed none cannot wait or measure.
 */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back, and is no time of day. */
  now(): number;
  /** Milliseconds since 1970, UTC; an adjustment of the machine's clock can move it back. */
  timeOfDay(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms`. A pending timer does not keep the process alive. */
  timer(ms: number, run: () => void): Timer;
  /** Resolves in a later turn of the event loop, so that others come first. */
  yield(): Promise<void>;
}

export interface Timer {
  /** `run` is not called any more. No effect when it was called already. */
  cancel(): void;
}
