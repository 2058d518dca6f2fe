/**
 * Time as a capability: `node` hands in the machine's clock, tests and simulation their own. A folder
 * that is handed none cannot wait or measure.
 */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back, and is no time of day. */
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}
