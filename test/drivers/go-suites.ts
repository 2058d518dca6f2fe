import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from './cache.ts';

const run = promisify(execFile);

/**
 * The suites that the Go driver brings along: `reql_tests` are queries with expectations, made of
 * RethinkDB's own cases; `tests` are those of the driver and its examples.
 */
const driver = 'gopkg.in/rethinkdb/rethinkdb-go.v6';
const folder = join(import.meta.dirname, 'go');
const buildDeadlineMs = 900_000;
const suiteDeadlineMs = 240_000;
const outputBytesMax = 256 * 1_048_576;

/** The folder with the two test programs; built once. */
export async function goSuites(): Promise<string> {
  const files = ['go.mod', 'go.sum'].map((name) => join(folder, name));
  const { stdout: version } = await run('go', ['version'], { cwd: '/' });
  const ingredients = [version, ...files.map((file) => readFileSync(file, 'utf8'))];
  return cached('go-driver-suites', ingredients, async (directory) => {
    const module = join(directory, 'module');
    mkdirSync(module);
    for (const file of files) copyFileSync(file, join(module, file.slice(folder.length + 1)));
    const options = { cwd: module, timeout: buildDeadlineMs, env: { ...process.env, GOFLAGS: '' } };
    for (const suite of ['reql_tests', 'tests']) {
      const source = `${driver}/internal/integration/${suite}`;
      await run('go', ['test', '-c', '-o', join(directory, suite), source], options);
    }
  });
}

/** Runs a program to its end, whatever its tests say. */
export async function runGoSuite(
  program: string,
  address: string,
  flags: readonly string[] = [],
): Promise<string> {
  const options = {
    timeout: suiteDeadlineMs,
    maxBuffer: outputBytesMax,
    env: { ...process.env, RETHINKDB_URL: address },
  };
  try {
    return (await run(program, ['-test.v', ...flags], options)).stdout;
  } catch (error) {
    const { code, stdout } = error as { readonly code: unknown; readonly stdout: string };
    // 1 says that tests failed; anything else, that the program did not come to its end.
    if (code === 1) return stdout;
    throw error;
  }
}

export interface SuiteResult {
  /** Lines of the cases that ran. */
  readonly lines: readonly number[];
  /** What is said about each that failed. */
  readonly failures: ReadonlyMap<number, string>;
}

/** Of `reql_tests`, by suite. */
export function queryResults(output: string): Map<string, SuiteResult> {
  const results = new Map<string, { lines: number[]; failures: Map<number, string> }>();
  let suite: { lines: number[]; failures: Map<number, string> } | undefined;
  let line = 0;
  for (const text of output.split('\n')) {
    const name = /^=== RUN\s+(\w+)\//.exec(text)?.[1];
    if (name !== undefined) {
      suite = { lines: [], failures: new Map() };
      results.set(name, suite);
      line = 0;
    }
    const begun = /About to run line #(\d+): (.*)/.exec(text);
    if (begun !== null) {
      line = Number(begun[1]);
      suite?.lines.push(line);
    }
    if (suite === undefined) continue;
    const before = suite.failures.get(line);
    if (before !== undefined) suite.failures.set(line, `${before}\n${text}`);
    else if (text.includes('Error Trace:'))
      suite.failures.set(line, `${begun?.[2] ?? ''}\n${text}`);
    if (text.includes('Finished running line')) line = 0;
  }
  return results;
}

/** Of `tests`: whether each passed, examples too. */
export function testResults(output: string): Map<string, boolean> {
  const found = new Map<string, boolean>();
  const pattern =
    /^(?:(PASS|FAIL|PANIC|MISS): .*RethinkSuite\.(\w+)|--- (PASS|FAIL): (Example\w*))/;
  for (const text of output.split('\n')) {
    const [, verdict, test, exampleVerdict, example] = pattern.exec(text) ?? [];
    const name = test ?? example;
    if (name !== undefined) found.set(name, (verdict ?? exampleVerdict) === 'PASS');
  }
  return found;
}
