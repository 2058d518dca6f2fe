import {
  close,
  constants,
  fdatasync,
  fstat,
  fsync,
  open as openFile,
  openSync,
  read,
  readdirSync,
  write,
} from 'node:fs';
import { mkdir, readdir, rename, rm, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { DescriptorReserve } from './descriptor-reserve.ts';
import type { Disk, DiskFile, OpenMode } from './disk.ts';

const { O_CREAT, O_DSYNC, O_EXCL, O_RDONLY, O_RDWR } = constants;
const flags: Record<OpenMode, number> = {
  read: O_RDONLY,
  write: O_RDWR,
  create: O_RDWR | O_CREAT | O_EXCL,
};
const openDescriptor = promisify(openFile);
const closeDescriptor = promisify(close);
const syncDescriptor = promisify(fdatasync);
const syncNames = promisify(fsync);
const statDescriptor = promisify(fstat);

/**
 * Descriptors in place of `FileHandle`, whose operations cost about twice as much of the main thread;
 * and a second one with O_DSYNC, so that a durable write is one trip through the thread pool, not two.
 */
interface Descriptors {
  readonly plain: number;
  /** The same file with O_DSYNC; none of a file that is only read. */
  readonly durable: number | undefined;
}

/**
 * Above it a durable write goes in two halves side by side: while the system copies one, the disk takes
 * the other. Two of the four threads of the pool stay free for everybody else.
 */
const halvedBytesMin = 1_048_576;
/** No page belongs to both halves. */
const pageBytes = 4_096;

const badDescriptor = (): Error =>
  Object.assign(new Error('EBADF: the file is closed, or was opened for reading'), {
    code: 'EBADF',
  });

class RealFile implements DiskFile {
  #descriptors: Descriptors | undefined;

  constructor(descriptors: Descriptors) {
    this.#descriptors = descriptors;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, await this.readInto(offset, bytes));
  }

  async readInto(offset: number, into: Uint8Array): Promise<number> {
    const { plain } = this.#open();
    let filled = 0;
    while (filled < into.byteLength) {
      const count = await readSome(plain, into.subarray(filled), offset + filled);
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    return writeAll(this.#open().plain, offset, bytes);
  }

  async writeDurably(offset: number, bytes: Uint8Array): Promise<void> {
    const { durable } = this.#open();
    if (durable === undefined) throw badDescriptor();
    if (bytes.byteLength < halvedBytesMin) return writeAll(durable, offset, bytes);
    const middle = Math.ceil((offset + bytes.byteLength / 2) / pageBytes) * pageBytes - offset;
    const halves = await Promise.allSettled([
      writeAll(durable, offset, bytes.subarray(0, middle)),
      writeAll(durable, offset + middle, bytes.subarray(middle)),
    ]);
    // Both have ended before a failure is reported: the caller may close the file then.
    for (const half of halves) if (half.status === 'rejected') throw half.reason;
  }

  async sync(): Promise<void> {
    await syncDescriptor(this.#open().plain);
  }

  async size(): Promise<number> {
    return (await statDescriptor(this.#open().plain)).size;
  }

  async close(): Promise<void> {
    const { plain, durable } = this.#open();
    this.#descriptors = undefined;
    await closeDescriptor(plain);
    if (durable !== undefined) await closeDescriptor(durable);
  }

  /** A number that was closed may name another file by now: it is never used again. */
  #open(): Descriptors {
    if (this.#descriptors === undefined) throw badDescriptor();
    return this.#descriptors;
  }
}

const readSome = (descriptor: number, into: Uint8Array, position: number): Promise<number> =>
  new Promise((resolvePromise, reject) => {
    read(descriptor, into, 0, into.byteLength, position, (error, count) => {
      if (error === null) resolvePromise(count);
      else reject(error);
    });
  });

const writeAll = (descriptor: number, offset: number, bytes: Uint8Array): Promise<void> =>
  new Promise((resolvePromise, reject) => {
    const writeFrom = (done: number): void => {
      write(descriptor, bytes, done, bytes.byteLength - done, offset + done, (error, count) => {
        if (error !== null) reject(error);
        else if (done + count < bytes.byteLength) writeFrom(done + count);
        else resolvePromise();
      });
    };
    writeFrom(0);
  });

/** The file system of the machine. */
export class RealDisk implements Disk {
  readonly #reserve: DescriptorReserve;

  /** `reservedDescriptors` are held for when the process has no others left: none unless said. */
  constructor(reservedDescriptors = 0) {
    this.#reserve = new DescriptorReserve(reservedDescriptors);
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const plain = await this.#open(path, flags[mode], 0o600);
    if (mode === 'read') return new RealFile({ plain, durable: undefined });
    try {
      return new RealFile({ plain, durable: await this.#open(path, O_RDWR | O_DSYNC) });
    } catch (error) {
      await closeDescriptor(plain);
      throw error;
    }
  }

  #open(path: string, flag: number, mode?: number): Promise<number> {
    return this.#reserve.use(
      () => openDescriptor(path, flag, mode),
      () => openSync(path, flag, mode),
    );
  }

  async list(directory: string): Promise<readonly string[]> {
    try {
      const names = await this.#reserve.use(
        () => readdir(directory),
        () => readdirSync(directory),
      );
      return names.sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  async makeDirectory(path: string): Promise<void> {
    const wanted = resolve(path);
    const first = await mkdir(wanted, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    // A new directory is a name in the one above it: each of them, up to the first that was there.
    for (let above = dirname(wanted); ; above = dirname(above)) {
      await this.syncDirectory(above);
      if (above === dirname(first)) return;
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(from, to);
  }

  async remove(path: string): Promise<void> {
    await rm(path, { force: true });
  }

  async syncDirectory(path: string): Promise<void> {
    const descriptor = await this.#open(path, O_RDONLY);
    try {
      await syncNames(descriptor);
    } finally {
      await closeDescriptor(descriptor);
    }
  }

  async freeBytes(directory: string): Promise<number> {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  }
}
