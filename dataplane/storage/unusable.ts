import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';

/** Why a file or directory cannot be used, in words for people. */
const sentences: Record<string, string> = {
  EACCES: 'this user may not write there: change its owner or choose another with --data-dir',
  EPERM: 'this user may not write there: change its owner or choose another with --data-dir',
  EROFS: 'its file system is read-only',
  ENOSPC: 'its disk is full: make room or give the volume more',
  ENOTDIR: 'a file stands where a directory is wanted',
  EEXIST: 'a file stands where a directory is wanted',
};

export function whyUnusable(path: string, error: unknown): string {
  const { code = '', message, syscall } = error as NodeJS.ErrnoException;
  // Node.js says of a directory that it cannot make, with those above it, that it does not exist.
  const isParentAtFault = code === 'ENOENT' && syscall === 'mkdir';
  const known = sentences[isParentAtFault ? codeAbove(path) : code];
  return known ?? message;
}

/** Why nothing can be made in the nearest directory above that exists. */
function codeAbove(path: string): string {
  let above = dirname(path);
  while (!existsSync(above) && above !== dirname(above)) above = dirname(above);
  try {
    accessSync(above, constants.W_OK);
    return '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? '';
  }
}
