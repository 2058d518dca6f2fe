import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * What tests install once and keep: a folder for each thing, named by a hash of everything that goes into
 * it. The folder appears by one rename: when it is there, it is whole.
 */
function cacheDirectory(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return process.env['PHOTONDB_CACHE'] ?? join(base, 'photondb');
}

export async function cached(
  name: string,
  ingredients: readonly string[],
  make: (directory: string) => Promise<unknown>,
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(ingredients)).digest('hex').slice(0, 16);
  const whole = join(cacheDirectory(), `${name}-${hash}`);
  if (existsSync(whole)) return whole;
  const unfinished = `${whole}.unfinished-${process.pid}`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  await make(unfinished);
  // Another test run may have been faster.
  if (existsSync(whole)) rmSync(unfinished, { recursive: true, force: true });
  else renameSync(unfinished, whole);
  return whole;
}
