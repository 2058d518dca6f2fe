import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A data-plane node as a user starts it: a process of its own on free ports. */
export interface Served {
  readonly process: ChildProcess;
  readonly host: string;
  readonly driverPort: number;
  readonly httpUrl: string;
  readonly webUrl: string;
  readonly directory: string;
  /** What the process wrote on standard error so far. */
  log(): string;
}

/** Of a machine with much else to do: a bound on what hangs. */
const readyDeadlineMs = 180_000;

export const temporaryDirectory = (): string => mkdtempSync(join(tmpdir(), 'photondb-'));

export const removeDirectory = (path: string): void =>
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });

/** `name=value` pairs of the line that the node prints when it serves. */
function readyFields(line: string): Map<string, string> {
  const pairs = line
    .split(' ')
    .slice(1)
    .map((pair) => pair.split('=', 2));
  return new Map(pairs.map(([name = '', value = '']) => [name, value]));
}

async function firstLine(child: ChildProcess, log: () => string): Promise<string> {
  const { stdout } = child;
  if (stdout === null) throw new Error('the node has no standard output');
  const lines = createInterface({ input: stdout });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the node ended with code ${String(code)} before it served:\n${log()}`);
  });
  const late = AbortSignal.timeout(readyDeadlineMs);
  const line = await Promise.race([
    (async () => {
      for await (const text of lines) if (text.startsWith('ready ')) return text;
      throw new Error(`the node closed its output before it served:\n${log()}`);
    })(),
    ended,
    once(late, 'abort').then(() => {
      throw new Error(`the node did not serve within ${readyDeadlineMs} ms:\n${log()}`);
    }),
  ]);
  ended.catch(() => undefined);
  stdout.resume();
  return line;
}

/** A node that was started, and may not serve yet. */
export interface Starting {
  readonly process: ChildProcess;
  /** Rejects with what the node said when it does not come to serve. */
  readonly serving: Promise<Served>;
}

/** A command that runs another one with fewer descriptors. */
export const withOpenFiles = (most: number): readonly string[] => [
  'bash',
  '-c',
  `ulimit -n ${most} && exec "$0" "$@"`,
];

/** `prefix`: begins the command line of the node. */
export function start(
  directory: string,
  flags: readonly string[] = [],
  prefix: readonly string[] = [],
): Starting {
  const ports = ['driver', 'cluster', 'http', 'web', 'admin'].flatMap((n) => [`--${n}-port`, '0']);
  const args = ['dataplane/node/main.ts', '--data-dir', directory, ...ports, ...flags];
  const command = [...prefix, process.execPath, ...args];
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-65_536)));
  const log = (): string => errors;
  const serving = firstLine(child, log).then((line): Served => {
    const fields = readyFields(line);
    const [host = '', port = ''] = (fields.get('driver') ?? '').split(/:(?=\d+$)/);
    const [httpUrl, webUrl] = [fields.get('http') ?? '', fields.get('web') ?? ''];
    return { process: child, host, driverPort: Number(port), httpUrl, webUrl, directory, log };
  });
  return { process: child, serving };
}

/** Starts a node over `directory` and resolves when it serves; rejects with what it said when it does not. */
export function serve(directory: string, flags: readonly string[] = []): Promise<Served> {
  return start(directory, flags).serving;
}

/** Ends the node by a signal and answers its exit code (null when the signal killed it). */
export async function end(
  served: Served,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<number | null> {
  const { process: child } = served;
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = once(child, 'exit');
  child.kill(signal);
  const [code] = (await exit) as [number | null];
  return code;
}
