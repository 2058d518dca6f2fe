/**
 * Chance as a capability, as time is: `node` hands in the machine's random numbers, which nobody can foresee;
 * simulation hands in a seed. Keys and certificates come from the cryptographic provider and are no chance.
 */
export interface Chance {
  /** Uniform in [0, 1). */
  next(): number;
  bytes(length: number): Uint8Array;
  /** A random UUID (version 4). */
  uuid(): string;
}
