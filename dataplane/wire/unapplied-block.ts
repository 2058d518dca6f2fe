import { crc32 } from '../common/bytes.ts';

/**
 * What the core of a node publishes of one shard, so that query workers can read its rows from the store themselves: a
 * version, the number of writes that the store does not have yet, and a filter of their keys. Guarded invariant: a
 * block that is torn, of another shard or of another version permits nothing.
 *
 * Layout, little endian: u32 version (0: nobody reads), u32 number of unapplied writes, u32 mark of both and of the
 * group, u32 zero, then a bit for each bucket of keys.
 */
const filterBits = 4_096;
const filterAt = 16;
export const unappliedBlockBytes = filterAt + filterBits / 8;
const countMax = 0xffff_ffff;

/** Of an encoded primary key. The lower bits of the checksum choose the shard. */
const bucketOf = (key: Uint8Array): number => (crc32(key) >>> 12) % filterBits;

function markOf(group: number, version: number, count: number): number {
  let mark = Math.imul(group ^ 0x9e_37_79_b1, 0x85_eb_ca_6b);
  for (const part of [version, count]) {
    mark = Math.imul(mark ^ (mark >>> 15) ^ part, 0xc2_b2_ae_35);
    mark ^= mark >>> 13;
  }
  return mark >>> 0;
}

/** Counts writes by the buckets of their keys. */
export class KeyCounts {
  /** Made at the first write. */
  #counts: Uint32Array | undefined;
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Whether the key's bucket was empty. */
  add(key: Uint8Array): boolean {
    const bucket = bucketOf(key);
    const counts = (this.#counts ??= new Uint32Array(filterBits));
    const before = counts[bucket] ?? 0;
    counts[bucket] = before + 1;
    this.#total += 1;
    return before === 0;
  }

  /** Whether the key's bucket is empty now. */
  remove(key: Uint8Array): boolean {
    const bucket = bucketOf(key);
    const counts = (this.#counts ??= new Uint32Array(filterBits));
    const after = (counts[bucket] ?? 0) - 1;
    counts[bucket] = after;
    this.#total -= 1;
    return after === 0;
  }

  mayHave(key: Uint8Array): boolean {
    return this.#total > 0 && this.#counts?.[bucketOf(key)] !== 0;
  }
}

/** Of the core. */
export class UnappliedBlock {
  readonly bytes = new Uint8Array(unappliedBlockBytes);
  readonly #view = new DataView(this.bytes.buffer);
  readonly #group: number;
  readonly #keys = new KeyCounts();
  #version = 0;

  constructor(group: number) {
    this.#group = group;
    this.#mark();
  }

  get version(): number {
    return this.#version;
  }

  set version(version: number) {
    this.#version = version;
    this.#mark();
  }

  add(key: Uint8Array): void {
    if (this.#keys.add(key)) this.#flip(bucketOf(key));
  }

  remove(key: Uint8Array): void {
    if (this.#keys.remove(key)) this.#flip(bucketOf(key));
  }

  /** The bytes as they are to be published now. */
  current(): Uint8Array {
    this.#mark();
    return this.bytes;
  }

  #flip(bucket: number): void {
    const at = filterAt + (bucket >>> 3);
    this.bytes[at] = (this.bytes[at] ?? 0) ^ (1 << (bucket & 7));
  }

  #mark(): void {
    const count = Math.min(this.#keys.total, countMax);
    this.#view.setUint32(0, this.#version, true);
    this.#view.setUint32(4, count, true);
    this.#view.setUint32(8, markOf(this.#group, this.#version, count), true);
  }
}

/** Whether a block is whole, and of this version of this group. */
export function isOfVersion(
  block: DataView,
  { group, version }: { readonly group: number; readonly version: number },
): boolean {
  if (version === 0 || block.getUint32(0, true) !== version) return false;
  return block.getUint32(8, true) === markOf(group, version, block.getUint32(4, true));
}

/** Whether the store may lack a write of this key. */
export function mayLack(block: DataView, key: Uint8Array): boolean {
  const bucket = bucketOf(key);
  return (block.getUint8(filterAt + (bucket >>> 3)) & (1 << (bucket & 7))) !== 0;
}

/** Whether the store has every write. Of a block that is of its version. */
export const lacksNothing = (block: DataView): boolean => block.getUint32(4, true) === 0;
