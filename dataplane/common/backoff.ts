/** Exponential back-off with full jitter below the doubling bound. Pure: randomness comes in. */
export interface BackoffOptions {
  readonly initialMs: number;
  readonly maximumMs: number;
}

/** The wait before attempt `attempt` (0 is the first retry); `random` is uniform in [0, 1). */
export function backoffMs(options: BackoffOptions, attempt: number, random: number): number {
  const bound = Math.min(options.maximumMs, options.initialMs * 2 ** Math.min(attempt, 52));
  return bound / 2 + (bound / 2) * random;
}
