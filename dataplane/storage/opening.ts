import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { PhotonError } from '../common/errors.ts';
import { directoryMode, fileMode } from './modes.ts';
import { StorageQuarantinedError, StorageUnavailableError } from './errors.ts';

/**
 * LMDB maps its file: damage in a page can end the process instead of throwing. A file beside the
 * storage counts the openings that never returned; after two in a row the storage is left alone, so
 * that a node does not crash in a loop and nothing makes the damage worse.
 */
const crashesMax = 2;

function crashesIn(file: string): number {
  try {
    const count = Number(readFileSync(file, 'utf8'));
    return Number.isSafeInteger(count) && count > 0 ? count : 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}

/** On a full disk nothing is counted: it is no reason not to open what is there. */
function note(file: string, crashes: number): void {
  try {
    writeFileSync(file, `${crashes}\n`, { mode: fileMode, flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

/** Runs `open`; refuses when the process did not survive it twice. An exception is no crash. */
export function openGuarded<T>(directory: string, open: () => T): T {
  const file = `${directory}.opening`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: directoryMode });
    const crashes = crashesIn(file);
    if (crashes >= crashesMax) throw new StorageQuarantinedError(directory, crashes, file);
    note(file, crashes + 1);
    try {
      return open();
    } finally {
      rmSync(file, { force: true });
    }
  } catch (error) {
    if (error instanceof PhotonError) throw error;
    const { message } = error as Error;
    throw new StorageUnavailableError(
      `The storage in ${directory} cannot be opened: ${message}. When its disk is full, make room or give the volume more.`,
      { cause: error },
    );
  }
}
