/** Growing, jittered pauses. Pure. */

export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** The pause before attempt `failures + 1`: doubling, between half and all of its nominal length. */
export function backoffMs(limits: BackoffLimits, failures: number, random: () => number): number {
  const nominalMs = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(failures, 40));
  return nominalMs * (0.5 + random() / 2);
}
