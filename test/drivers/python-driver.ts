import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from './cache.ts';

const run = promisify(execFile);

/** The official Python driver, pinned. */
const driver = 'rethinkdb==2.4.10.post1';

const installDeadlineMs = 300_000;
const scriptDeadlineMs = 60_000;

/** The Python of a virtual environment that has the driver; made once and kept in the cache. */
export async function pythonWithDriver(): Promise<string> {
  const directory = await cached('python-driver', [driver], async (unfinished) => {
    const options = { timeout: installDeadlineMs };
    await run('python3', ['-m', 'venv', '--clear', unfinished], options);
    const python = join(unfinished, 'bin', 'python');
    await run(python, ['-m', 'pip', 'install', '--quiet', driver], options);
    await run(python, ['-c', 'import rethinkdb'], options);
  });
  return join(directory, 'bin', 'python');
}

/** Runs a script and answers what it printed; rejects with its errors when it fails. */
export async function runPython(script: string, args: readonly string[]): Promise<string> {
  const python = await pythonWithDriver();
  const { stdout } = await run(python, [script, ...args], { timeout: scriptDeadlineMs });
  return stdout;
}
