import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readFileSync, renameSync, statfsSync, writeFileSync } from 'node:fs';
import { LocalError } from './errors.ts';

/** Where results of long work are kept between checkouts: the built program, image layers. */
export function cacheFolder(): string {
  const own = process.env['PHOTONDB_CACHE'];
  if (own !== undefined && own !== '') return own;
  const base = process.env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'photondb');
}

/** Writes a file so that a reader, or a crash, sees the old or the new one and nothing between. */
export function writeAtomically(path: string, text: string, mode = 0o644): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode });
  renameSync(temporary, path);
}

/** Leaves a file alone that has this content already: some programs end when theirs is written. */
export function writeIfChanged(path: string, text: string): void {
  if (readIfThere(path) !== text) writeAtomically(path, text);
}

/** The text of a file, or undefined when it is not there. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return undefined;
    if (code !== 'EACCES') throw error;
    const sentence = `${path} belongs to another user, and this one may not read it`;
    throw new LocalError('local.not_permitted', sentence, 'Run it again as its owner.', error);
  }
}

/** One hash over named contents; names and lengths are hashed too, so that nothing can shift. */
export function hashOf(parts: Iterable<readonly [name: string, content: string | Buffer]>): string {
  const hash = createHash('sha256');
  for (const [name, content] of parts) {
    hash.update(`${name}\0${Buffer.byteLength(content)}\0`);
    hash.update(content);
  }
  return hash.digest('hex');
}

const bytesPerGigabyte = 1024 ** 3;

export function requireSpace(folder: string, gigabytes: number, what: string): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = (bavail * bsize) / bytesPerGigabyte;
  if (free >= gigabytes) return;
  throw new LocalError(
    'local.no_space',
    `${what} needs ${gigabytes} GB of free disk space at ${folder}, and there are ${free.toFixed(1)} GB`,
    'Free some space, or point PHOTONDB_CACHE to a larger disk.',
  );
}
