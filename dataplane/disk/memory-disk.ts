import { concatBytes, copyBytes } from '../common/bytes.ts';
import type { Disk, DiskFile, OpenMode } from './disk.ts';

/** The unit that a disk writes whole or not at all. */
const sectorBytes = 512;

interface Content {
  /** What a reader sees. */
  bytes: Uint8Array;
  /** What is on the medium. */
  durable: Uint8Array;
  /** Sectors written since the last sync. */
  readonly dirty: Set<number>;
}

interface Directory {
  readonly visible: Map<string, Content>;
  durable: Map<string, Content>;
}

/** Fails an operation before it has an effect, by throwing. */
export type Fault = (operation: string, path: string) => void;

const split = (path: string): [directory: string, name: string] => {
  const slash = path.lastIndexOf('/');
  return [path.slice(0, slash), path.slice(slash + 1)];
};

const systemError = (code: string, what: string): Error =>
  Object.assign(new Error(`${code}: ${what}`), { code });

const missing = (path: string): Error => systemError('ENOENT', `no such file: ${path}`);

function resized(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.byteLength >= length
    ? bytes
    : concatBytes([bytes, new Uint8Array(length - bytes.byteLength)]);
}

function* sectorsOf(offset: number, length: number): Generator<number> {
  const last = Math.floor((offset + length - 1) / sectorBytes);
  for (let sector = Math.floor(offset / sectorBytes); sector <= last; sector += 1) yield sector;
}

/** Holds an operation up until the promise resolves. */
export type Hold = (operation: string, path: string) => Promise<void>;

/** What a file asks of its disk: leave to act, and room to grow. */
interface Ground {
  readonly path: string;
  begin(operation: string, path: string): Promise<void>;
  freeBytes(): number;
}

class MemoryFile implements DiskFile {
  readonly #content: Content;
  readonly #mode: OpenMode;
  readonly #ground: Ground;
  #open = true;

  constructor(content: Content, mode: OpenMode, ground: Ground) {
    this.#content = content;
    this.#mode = mode;
    this.#ground = ground;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    await this.#begin('read');
    return copyBytes(this.#content.bytes.subarray(offset, offset + length));
  }

  async readInto(offset: number, into: Uint8Array): Promise<number> {
    const bytes = await this.read(offset, into.byteLength);
    into.set(bytes);
    return bytes.byteLength;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#begin('write');
    if (this.#mode === 'read')
      throw systemError('EBADF', `opened for reading: ${this.#ground.path}`);
    const content = this.#content;
    const grown = offset + bytes.byteLength - content.bytes.byteLength;
    if (grown > 0 && grown > this.#ground.freeBytes()) throw systemError('ENOSPC', 'no space left');
    content.bytes = resized(content.bytes, offset + bytes.byteLength);
    content.bytes.set(bytes, offset);
    for (const sector of sectorsOf(offset, bytes.byteLength)) content.dirty.add(sector);
  }

  /** Other operations see the write and the sync apart, as a power cut does. */
  async writeDurably(offset: number, bytes: Uint8Array): Promise<void> {
    await this.write(offset, bytes);
    await this.#begin('sync');
    const content = this.#content;
    content.durable = resized(content.durable, content.bytes.byteLength);
    for (const sector of sectorsOf(offset, bytes.byteLength)) {
      const start = sector * sectorBytes;
      content.durable.set(content.bytes.subarray(start, start + sectorBytes), start);
      content.dirty.delete(sector);
    }
  }

  async sync(): Promise<void> {
    await this.#begin('sync');
    this.#content.durable = copyBytes(this.#content.bytes);
    this.#content.dirty.clear();
  }

  async size(): Promise<number> {
    await this.#begin('size');
    return this.#content.bytes.byteLength;
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  async #begin(operation: string): Promise<void> {
    if (!this.#open) throw systemError('EBADF', `closed: ${this.#ground.path}`);
    await this.#ground.begin(operation, this.#ground.path);
  }
}

/**
 * A disk in memory that remembers what was synced. `crash` answers the disk as it may be found
 * after the power went: each unsynced sector is there or not, in any combination, and so is each
 * unsynced name.
 */
export class MemoryDisk implements Disk {
  readonly #directories = new Map<string, Directory>();
  readonly #capacityBytes: number;
  #fault: Fault = () => undefined;
  #hold: Hold = async () => undefined;

  /** Files may hold `capacityBytes` in all. */
  constructor(capacityBytes = Number.MAX_SAFE_INTEGER) {
    this.#capacityBytes = capacityBytes;
  }

  /** Calls `fault` before each operation. */
  failBy(fault: Fault): void {
    this.#fault = fault;
  }

  /** Calls `hold` before each operation on an open file, and waits for it. */
  holdBy(hold: Hold): void {
    this.#hold = hold;
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    this.#fault('open', path);
    const [directory, name] = this.#locate(path);
    const existing = directory.visible.get(name);
    if (mode === 'create') {
      if (existing !== undefined) {
        throw systemError('EEXIST', `file exists: ${path}`);
      }
      const content = {
        bytes: new Uint8Array(),
        durable: new Uint8Array(),
        dirty: new Set<number>(),
      };
      directory.visible.set(name, content);
      return this.#file(content, mode, path);
    }
    if (existing === undefined) throw missing(path);
    return this.#file(existing, mode, path);
  }

  async list(path: string): Promise<readonly string[]> {
    return [...(this.#directories.get(path)?.visible.keys() ?? [])].sort();
  }

  async makeDirectory(path: string): Promise<void> {
    this.#fault('makeDirectory', path);
    if (!this.#directories.has(path)) {
      this.#directories.set(path, { visible: new Map(), durable: new Map() });
    }
  }

  async rename(from: string, to: string): Promise<void> {
    this.#fault('rename', from);
    const [source, oldName] = this.#locate(from);
    const [target, newName] = this.#locate(to);
    const content = source.visible.get(oldName);
    if (content === undefined) throw missing(from);
    source.visible.delete(oldName);
    target.visible.set(newName, content);
  }

  async remove(path: string): Promise<void> {
    this.#fault('remove', path);
    const [directory, name] = this.#locate(path);
    directory.visible.delete(name);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#fault('syncDirectory', path);
    const directory = this.#directories.get(path);
    if (directory === undefined) throw missing(path);
    directory.durable = new Map(directory.visible);
  }

  async freeBytes(): Promise<number> {
    return this.#free();
  }

  /** `survives` decides for each unsynced sector and name whether it reached the medium. */
  crash(survives: () => boolean): MemoryDisk {
    const disk = new MemoryDisk(this.#capacityBytes);
    for (const [path, directory] of this.#directories) {
      const names = new Map(directory.durable);
      for (const name of new Set([...directory.visible.keys(), ...directory.durable.keys()])) {
        const seen = directory.visible.get(name);
        if (seen === directory.durable.get(name) || !survives()) continue;
        if (seen === undefined) names.delete(name);
        else names.set(name, seen);
      }
      const found = new Map(
        [...names].map(([name, content]) => [name, afterCrash(content, survives)]),
      );
      disk.#directories.set(path, { visible: found, durable: new Map(found) });
    }
    return disk;
  }

  /** The bytes of a file as a reader sees them, to be damaged by a test. */
  bytesOf(path: string): Uint8Array {
    const [directory, name] = this.#locate(path);
    const content = directory.visible.get(name);
    if (content === undefined) throw missing(path);
    return content.bytes;
  }

  #file(content: Content, mode: OpenMode, path: string): MemoryFile {
    const begin = async (operation: string, file: string): Promise<void> => {
      await this.#hold(operation, file);
      this.#fault(operation, file);
    };
    return new MemoryFile(content, mode, { path, begin, freeBytes: () => this.#free() });
  }

  #free(): number {
    const contents = new Set(
      [...this.#directories.values()].flatMap((directory) => [...directory.visible.values()]),
    );
    const used = [...contents].reduce((sum, content) => sum + content.bytes.byteLength, 0);
    return this.#capacityBytes - used;
  }

  #locate(path: string): [directory: Directory, name: string] {
    const [parent, name] = split(path);
    const directory = this.#directories.get(parent);
    if (directory === undefined) throw missing(parent);
    return [directory, name];
  }
}

function afterCrash(content: Content, survives: () => boolean): Content {
  const bytes = copyBytes(resized(content.durable, content.bytes.byteLength));
  for (const sector of content.dirty) {
    if (!survives()) continue;
    const start = sector * sectorBytes;
    bytes.set(content.bytes.subarray(start, start + sectorBytes), start);
  }
  return { bytes, durable: copyBytes(bytes), dirty: new Set() };
}
