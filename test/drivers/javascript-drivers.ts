import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from './cache.ts';

const run = promisify(execFile);
const folder = join(import.meta.dirname, 'javascript');
const installDeadlineMs = 300_000;

/**
 * The `node_modules` with drivers and ORMs, of a lock file of their own: nobody maintains the older ones any
 * more, and the project itself must not depend on them.
 */
export async function javaScriptDrivers(): Promise<string> {
  const files = ['package.json', 'package-lock.json'].map((name) => join(folder, name));
  const ingredients = files.map((file) => readFileSync(file, 'utf8'));
  const directory = await cached('javascript-drivers', ingredients, async (unfinished) => {
    for (const file of files) copyFileSync(file, join(unfinished, file.slice(folder.length + 1)));
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
    await run('npm', args, { cwd: unfinished, timeout: installDeadlineMs });
  });
  return join(directory, 'node_modules');
}
