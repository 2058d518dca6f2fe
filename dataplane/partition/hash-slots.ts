import { crc32 } from '../common/bytes.ts';

/**
 * Fixed hash slots: the slot of a key never changes, and a shard owns ranges of slots. Moving data means giving slots
 * to another shard. Guarded invariant of a map: each slot has exactly one owner.
 */
export const slotCount = 4_096;

/** Half-open. */
export type SlotRange = readonly [first: number, end: number];

/** Of an encoded primary key. */
export const slotOf = (key: Uint8Array): number => crc32(key) % slotCount;

/** The slots of shard `at` of `shards`, as even as can be. */
export const evenSlots = (at: number, shards: number): SlotRange => [
  Math.floor((at * slotCount) / shards),
  Math.floor(((at + 1) * slotCount) / shards),
];

/** Which shard of a table has a key, at one epoch of the map. */
export class SlotMap {
  readonly epoch: number;
  readonly shards: number;
  /** By slot. Undefined with one shard, which has all of them. */
  readonly #owners: Uint16Array | undefined;

  /** Throws a sentence for owners that leave a slot out or share one. */
  constructor(epoch: number, owned: readonly (readonly SlotRange[])[]) {
    this.epoch = epoch;
    this.shards = owned.length;
    const owners = ownersOf(owned);
    this.#owners = owned.length === 1 ? undefined : owners;
  }

  shardOf(key: Uint8Array): number {
    return this.#owners?.[slotOf(key)] ?? 0;
  }
}

const noOwner = 0xffff;

function ownersOf(owned: readonly (readonly SlotRange[])[]): Uint16Array {
  const owners = new Uint16Array(slotCount).fill(noOwner);
  for (const [shard, ranges] of owned.entries()) {
    for (const [first, end] of ranges) {
      if (first < 0 || first > end || end > slotCount)
        throw new RangeError(`slots ${first} to ${end} are not among the ${slotCount}`);
      for (let slot = first; slot < end; slot += 1) {
        if (owners[slot] !== noOwner) throw new RangeError(`slot ${slot} has two owners`);
        owners[slot] = shard;
      }
    }
  }
  const without = owners.indexOf(noOwner);
  if (without !== -1) throw new RangeError(`slot ${without} has no owner`);
  return owners;
}
