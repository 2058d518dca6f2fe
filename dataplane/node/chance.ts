import { randomBytes, randomUUID } from 'node:crypto';
import type { Chance } from '../common/chance.ts';

/** The machine's random numbers, from the cryptographic generator. */
const pool = new Uint32Array(1_024);
let used = pool.length;

/** 53 bits: as many as a double has. */
function next(): number {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  const high = (pool[used] ?? 0) >>> 5;
  const low = (pool[used + 1] ?? 0) >>> 6;
  used += 2;
  return (high * 0x400_0000 + low) / 0x20_0000_0000_0000;
}

export const machineChance: Chance = { next, bytes: randomBytes, uuid: () => randomUUID() };
