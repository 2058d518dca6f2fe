import { closeSync, fsyncSync, openSync } from 'node:fs';

/** When it returns, the bytes of a file or the names in a directory are on the medium. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
