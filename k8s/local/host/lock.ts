import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { LocalError } from './errors.ts';

/**
 * A lock between processes that dies with its holder: Node has no flock, but SQLite's exclusive
 * transaction holds one, and the kernel releases it whatever happens to the process.
 */
export interface LockOptions {
  readonly timeoutMs: number;
  /** Called once when another process holds the lock and the wait starts. */
  readonly onWait?: () => void;
}

const pollMs = 200;

/** Holds the lock in `file` while `task` runs. */
export async function withLock<T>(
  file: string,
  options: LockOptions,
  task: () => Promise<T> | T,
): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  try {
    await acquire(database, file, options);
    return await task();
  } finally {
    database.close();
  }
}

async function acquire(database: DatabaseSync, file: string, options: LockOptions): Promise<void> {
  const deadline = Date.now() + options.timeoutMs;
  for (let attempt = 0; ; attempt++) {
    try {
      database.exec('BEGIN EXCLUSIVE');
      return;
    } catch (error) {
      if (!(error instanceof Error && /locked|busy/i.test(error.message))) throw error;
    }
    if (Date.now() > deadline) {
      throw new LocalError(
        'local.locked',
        `another process has held ${file} for ${options.timeoutMs / 1000} s`,
      );
    }
    if (attempt === 0) options.onWait?.();
    await sleep(pollMs);
  }
}
