/**
 * Chance as a capability, as time is: `node` passes the machine's random numbers, which are unpredictable;
 * simulation passes a seeded generator. Keys and certificates come from the cryptographic provider instead.
 */
export interface Chance {
  /** Uniform in [0, 1). */
  next(): number;
  bytes(length: number): Uint8Array;
  /** A random UUID (version 4). */
  uuid(): string;
}
