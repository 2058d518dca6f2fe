import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from '../../drivers/cache.ts';
import type { Operation } from '../linearizability.ts';

/** Porcupine (Athalye), which decides on histories as the checker of the simulation does. */
const run = promisify(execFile);
const folder = import.meta.dirname;
const nanosecondsPerMs = 1_000_000;

/** The path of its program, which is built once. */
export async function porcupine(): Promise<string> {
  const names = ['go.mod', 'go.sum', 'main.go'];
  const { stdout: version } = await run('go', ['version'], { cwd: '/' });
  const ingredients = [version, ...names.map((name) => readFileSync(join(folder, name), 'utf8'))];
  const directory = await cached('porcupine', ingredients, async (target) => {
    for (const name of names) copyFileSync(join(folder, name), join(target, name));
    const env = { ...process.env, GOFLAGS: '' };
    await run('go', ['build', '-o', 'judge', '.'], { cwd: target, timeout: 600_000, env });
  });
  return join(directory, 'judge');
}

/** Whether each history is linearizable. */
export function verdicts(
  program: string,
  histories: readonly (readonly Operation[])[],
): Promise<boolean[]> {
  const input = histories.map((history) =>
    history.map(({ kind, value, calledAt, returnedAt }) => ({
      kind,
      ...(value === undefined ? {} : { value }),
      calledAt: Math.round(calledAt * nanosecondsPerMs),
      ...(Number.isFinite(returnedAt)
        ? { returnedAt: Math.round(returnedAt * nanosecondsPerMs) }
        : {}),
    })),
  );
  return new Promise((resolve, reject) => {
    const options = { timeout: 60_000, maxBuffer: 16 * 1_048_576 };
    const child = execFile(program, options, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as boolean[]);
      else reject(error);
    });
    child.stdin?.end(JSON.stringify(input));
  });
}
