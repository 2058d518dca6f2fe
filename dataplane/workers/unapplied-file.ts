import { closeSync, readSync, writeSync } from 'node:fs';
import { unappliedBlockBytes } from '../wire/unapplied-block.ts';
import { openNameless } from './nameless-file.ts';

/**
 * Edge: the blocks of all shards in a file without a name that core and query workers have open; the core writes it and
 * the workers read it. It is no part of the data: another core makes another one. A group has the place of its number
 * among a fixed number of places, and none while another group has that.
 */
const places = 16_384;
/** Four of them in a page. */
const placeBytes = 1_024;

const offsetOf = (group: number): number => (group % places) * placeBytes;

/** Of the core. */
export class UnappliedFile {
  /** For workers, which cannot write through it. */
  readonly descriptor: number;
  readonly #descriptor: number;
  /** The group of each place. */
  readonly #owners = new Map<number, number>();

  /** In the first directory that takes it: memory rather than a disk. */
  constructor(directories: readonly string[], name: string) {
    const { both, readOnly } = openNameless(directories, name);
    this.#descriptor = both;
    this.descriptor = readOnly;
  }

  /** False when there is no place for the group. Throws when a place that was written before cannot be written. */
  write(group: number, block: Uint8Array): boolean {
    const place = group % places;
    const owner = this.#owners.get(place);
    if (owner !== undefined && owner !== group) return false;
    try {
      const written = writeSync(this.#descriptor, block, 0, block.byteLength, offsetOf(group));
      if (written < block.byteLength) throw new Error('The file of unapplied writes has no room.');
    } catch (error) {
      if (owner === undefined) return false;
      throw error;
    }
    this.#owners.set(place, group);
    return true;
  }

  release(group: number): void {
    if (this.#owners.get(group % places) === group) this.#owners.delete(group % places);
  }

  close(): void {
    closeSync(this.#descriptor);
    closeSync(this.descriptor);
  }
}

/** Of a worker. */
export class UnappliedFileView {
  readonly #descriptor: number;
  readonly #bytes = new Uint8Array(unappliedBlockBytes);
  readonly #view = new DataView(this.#bytes.buffer);

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** As the core has published it, valid until the next call. A group that was never published has zeros. */
  read(group: number): DataView {
    const count = readSync(this.#descriptor, this.#bytes, 0, unappliedBlockBytes, offsetOf(group));
    if (count < unappliedBlockBytes) this.#bytes.fill(0, count);
    return this.#view;
  }
}
