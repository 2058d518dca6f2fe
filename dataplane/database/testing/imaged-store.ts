import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApplyStore, ReadTransaction, WriteTransaction } from '../../kv/store.ts';
import { machineClock } from '../../node/clock.ts';
import { LmdbStore } from '../../storage/lmdb-store.ts';

const mapBytes = 64 * 1_048_576;
const chunkBytes = 1_048_576;

/** The bytes of LMDB's file; undefined before there is one. */
export type StoreImage = Uint8Array | undefined;

/**
 * LMDB over a file of its own, which remembers what its file held at the last flush that was
 * answered. Calls `boundary` before and after each commit and flush.
 */
export class ImagedStore implements ApplyStore {
  #flushed: StoreImage;
  readonly #directory: string;
  readonly #inner: LmdbStore;
  readonly #boundary: () => void;

  constructor(image: StoreImage, boundary: () => void) {
    this.#directory = mkdtempSync(join(tmpdir(), 'photondb-image-'));
    mkdirSync(join(this.#directory, 'store'));
    if (image !== undefined) writeFileSync(this.#file, image);
    this.#flushed = image;
    this.#inner = new LmdbStore({
      clock: machineClock,
      directory: join(this.#directory, 'store'),
      mapBytes,
    });
    this.#boundary = boundary;
  }

  /** What a power cut leaves at the least: everything behind the last flush is lost. */
  get flushedImage(): StoreImage {
    return this.#flushed;
  }

  /**
   * What a power cut leaves at the most: all that was written. A commit that is under way does not
   * touch what the last one needs, and the next one is not begun while this reads. It may end, though,
   * and make the file longer: what the first pages name is written before they are, so that reading
   * goes on from them to the end of the file, wherever that is by then.
   */
  writtenImage(): StoreImage {
    const descriptor = openSync(this.#file, 'r');
    try {
      const chunks: Buffer[] = [];
      for (;;) {
        const chunk = Buffer.alloc(chunkBytes);
        const bytes = readSync(descriptor, chunk);
        if (bytes === 0) return Buffer.concat(chunks);
        chunks.push(chunk.subarray(0, bytes));
      }
    } finally {
      closeSync(descriptor);
    }
  }

  read<T>(body: (transaction: ReadTransaction) => T): T {
    return this.#inner.read(body);
  }

  async write<T>(body: (transaction: WriteTransaction) => T): Promise<T> {
    this.#boundary();
    const answer = await this.#inner.write(body);
    this.#boundary();
    return answer;
  }

  async flushed(): Promise<void> {
    this.#boundary();
    await this.#inner.flushed();
    this.#flushed = this.writtenImage();
    this.#boundary();
  }

  statistics(): ReturnType<ApplyStore['statistics']> {
    return this.#inner.statistics();
  }

  async close(): Promise<void> {
    await this.#inner.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#directory, 'store', 'data.mdb');
  }
}
