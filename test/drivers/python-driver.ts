import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The official Python driver, pinned. */
const driver = 'rethinkdb==2.4.10.post1';

const installDeadlineMs = 300_000;
const scriptDeadlineMs = 60_000;

function cacheDirectory(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return process.env['PHOTONDB_CACHE'] ?? join(base, 'photondb');
}

/** The Python of a virtual environment that has the driver; made once and kept in the cache. */
export async function pythonWithDriver(): Promise<string> {
  const directory = join(cacheDirectory(), `python-${driver.replaceAll(/[^a-z0-9.]/g, '-')}`);
  const python = join(directory, 'bin', 'python');
  const done = join(directory, 'installed');
  if (existsSync(done)) return python;
  mkdirSync(directory, { recursive: true });
  const options = { timeout: installDeadlineMs };
  await run('python3', ['-m', 'venv', '--clear', directory], options);
  await run(python, ['-m', 'pip', 'install', '--quiet', driver], options);
  await run(
    python,
    ['-c', `import rethinkdb; open(${JSON.stringify(done)}, 'w').close()`],
    options,
  );
  return python;
}

/** Runs a script and answers what it printed; rejects with its errors when it fails. */
export async function runPython(script: string, args: readonly string[]): Promise<string> {
  const python = await pythonWithDriver();
  const { stdout } = await run(python, [script, ...args], { timeout: scriptDeadlineMs });
  return stdout;
}
