import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What is stored is its owner's alone: files 0600, directories 0700, also those that a release before
 * this one made, or a library that has modes of its own.
 */
export const fileMode = 0o600;
export const directoryMode = 0o700;

/** Everything that a node makes in its data directory. */
const ownNames = new Set(
  'IDENTITY IDENTITY.new LOCK LOCK-journal cluster store store.opening store-copy wal'.split(' '),
);
/** Of what is kept of a directory whose node begins again. */
export const keptPrefix = 'lost-';
/** Made by file systems at the root of a volume. */
const foreignNames = new Set(['lost+found']);

/** Of a file that may not exist. A file of another owner is unchanged: the group may have access. */
export function restrict(path: string, mode: number): void {
  try {
    if ((statSync(path).mode & 0o777) !== mode) chmodSync(path, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EPERM' && code !== 'EROFS') throw error;
  }
}

/** A data directory and all in it that a node has made; nothing else, whatever lies there. */
export function restrictAll(path: string): void {
  const names = readdirSync(path);
  const own = names.filter((name) => ownNames.has(name) || name.startsWith(keptPrefix));
  const isOwn = names.every((name) => own.includes(name) || foreignNames.has(name));
  if (isOwn) restrict(path, directoryMode);
  for (const name of own) restrictTree(join(path, name));
}

function restrictTree(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
    restrict(path, fileMode);
    return;
  }
  restrict(path, directoryMode);
  for (const name of readdirSync(path)) restrictTree(join(path, name));
}
