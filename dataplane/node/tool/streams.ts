import {
  createReadStream,
  createWriteStream,
  existsSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { stdin, stdout } from 'node:process';
import { Readable } from 'node:stream';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { syncPath } from '../../storage/sync-path.ts';

/** Files of exports; `-` stands for standard input and output. */
const standard = '-';

export function readStream(file: string): AsyncIterable<Uint8Array> {
  if (file === standard) return stdin as AsyncIterable<Uint8Array>;
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new Error(`${file} is a directory: name the file of an exported table.`);
  }
  return createReadStream(file) as AsyncIterable<Uint8Array>;
}

/** A file appears under its name when all of it is on the medium. */
export async function writeStream(
  file: string,
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  if (file === standard) {
    // Others may still write to it.
    await pipeline(Readable.from(pieces), stdout as Writable, { signal, end: false });
    return;
  }
  if (existsSync(file)) throw new Error(`${file} exists: remove it, or choose another name.`);
  const part = join(dirname(file), `.${basename(file)}.part`);
  try {
    const target = createWriteStream(part, { flags: 'w', mode: 0o600 });
    await pipeline(Readable.from(pieces), target, { signal });
    syncPath(part);
    renameSync(part, file);
    syncPath(dirname(file));
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}
