import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { directoryMode, keptPrefix } from './modes.ts';
import { syncPath } from './sync-path.ts';

/**
 * What of a data directory is of no use any more, kept for people in a directory that names the time. Guarded
 * invariant: the same call may be repeated after a crash, with the same time, until it returns.
 */
/** Former ones are removed: each of them may be as large as the data. */
const keptMax = 1;

const nameOf = (at: number): string =>
  `${keptPrefix}${new Date(at).toISOString().replaceAll(':', '-')}`;

/** `names`: of the directory; those that are not there are passed over. `at`: milliseconds since 1970. */
export function setAside(directory: string, names: readonly string[], at: number): string {
  const path = join(directory, nameOf(at));
  mkdirSync(path, { recursive: true, mode: directoryMode });
  syncPath(directory);
  for (const name of names) {
    if (!existsSync(join(directory, name))) continue;
    renameSync(join(directory, name), join(path, name));
    syncPath(path);
    syncPath(directory);
  }
  removeFormer(directory, path);
  return path;
}

function removeFormer(directory: string, newest: string): void {
  const kept = readdirSync(directory).filter((name) => name.startsWith(keptPrefix));
  const former = kept.toSorted().filter((name) => join(directory, name) !== newest);
  for (const name of former.slice(0, Math.max(0, former.length - (keptMax - 1)))) {
    rmSync(join(directory, name), { recursive: true, force: true });
  }
}

/** Removes what would leave no room for as much again: `names` in this order. */
export function makeRoom(
  path: string,
  names: readonly string[],
  freeBytes: () => number,
): readonly string[] {
  return names.filter((name) => {
    const kept = join(path, name);
    const bytes = bytesIn(kept);
    if (bytes === 0 || freeBytes() >= bytes) return false;
    rmSync(kept, { recursive: true, force: true });
    return true;
  });
}

function bytesIn(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesIn(join(path, name)), 0);
}
