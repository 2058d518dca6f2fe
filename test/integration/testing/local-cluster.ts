import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import r from 'rethinkdb';

/** `npm run cluster` as a user starts it, and what its nodes say of each other. */
export interface Shown {
  readonly name: string;
  readonly id: string;
  readonly status: string;
}

export interface Started {
  readonly child: ChildProcess;
  /** The ready lines so far. */
  readonly lines: string[];
  readonly log: () => string;
}

const program = 'dataplane/node/local-cluster/main.ts';

export const launch = (directory: string, ...args: readonly string[]): Started =>
  launchOf(3, directory, ...args);

export function launchOf(nodes: number, directory: string, ...args: readonly string[]): Started {
  const own = ['--nodes', String(nodes), '--data-dir', directory, '--ports', 'free'];
  const child = spawn(process.execPath, [program, ...own, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  let log = '';
  createInterface({ input: child.stdout }).on('line', (line) => void lines.push(line));
  child.stderr.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-262_144)));
  return { child, lines, log: () => log };
}

/** The time limit of the test ends a wait without success. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(100);
}

export const fieldOf = (line: string | undefined, name: string): string =>
  new RegExp(` ${name}=(\\S+)`).exec(line ?? '')?.[1] ?? '';

export async function ended({ child }: { readonly child: ChildProcess }): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

export async function healthOf(line: string | undefined): Promise<Readonly<Record<string, Shown>>> {
  const response = await fetch(`http://${fieldOf(line, 'http')}/health`);
  const { cluster } = (await response.json()) as {
    readonly cluster: { readonly members: readonly Shown[] };
  };
  return Object.fromEntries(cluster.members.map((member) => [member.name, member]));
}

export const statusesIn = async (line: string | undefined): Promise<string> => {
  const members = await healthOf(line);
  return ['node1', 'node2', 'node3'].map((name) => members[name]?.status ?? 'unknown').join(' ');
};

export const connect = (line: string | undefined): Promise<r.Connection> => {
  const [host = '', port = ''] = fieldOf(line, 'driver').split(':');
  return r.connect({ host, port: Number(port), user: 'admin', password: '' });
};
