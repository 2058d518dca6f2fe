import { openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Where such files stand in memory; a container may have none of it. */
export const memoryDirectory = '/dev/shm';

/**
 * Edge: a file that only processes know that inherit it, and that is gone with them. In the first directory that takes
 * it. Answers two descriptors: one to write and read, and one that reads only.
 */
export function openNameless(
  directories: readonly string[],
  name: string,
): { readonly both: number; readonly readOnly: number } {
  let failure: unknown;
  for (const directory of directories) {
    try {
      const path = join(directory, name);
      const both = openSync(path, 'wx+', 0o600);
      try {
        return { both, readOnly: openSync(path, 'r') };
      } finally {
        unlinkSync(path);
      }
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
