import { execFile } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const mebibyte = 1_048_576;

function fillUp(descriptor: number, bytes: Buffer): void {
  try {
    for (;;) writeSync(descriptor, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

/** A real file system in memory that is small, and which another program can fill. It needs Linux and root. */
export class SmallVolume {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Mounts it over a directory. */
  static async mount(directory: string, mebibytes: number): Promise<SmallVolume> {
    const size = `size=${mebibytes}m`;
    await execute('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', directory]);
    return new SmallVolume(directory);
  }

  get #ballast(): string {
    return join(this.#directory, 'ballast');
  }

  /** Leaves nothing of it to others. */
  takeAll(): void {
    const descriptor = openSync(this.#ballast, 'w');
    for (const size of [mebibyte, 4_096]) fillUp(descriptor, Buffer.alloc(size));
    closeSync(descriptor);
  }

  release(): void {
    rmSync(this.#ballast, { force: true });
  }

  async unmount(): Promise<void> {
    await execute('umount', [this.#directory]);
  }
}
