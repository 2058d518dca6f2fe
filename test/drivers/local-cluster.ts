import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeDirectory, temporaryDirectory } from './serve.ts';

/** Nodes of one cluster as `npm run cluster` starts them: processes of their own on free ports. */
const program = 'dataplane/node/local-cluster/main.ts';
const pollMs = 50;

const fieldOf = (line: string, name: string): string =>
  new RegExp(` ${name}=(\\S+)`).exec(line)?.[1] ?? '';

export interface DriverAddress {
  readonly host: string;
  readonly port: number;
}

export class LocalClusterProcesses {
  readonly #directory = temporaryDirectory();
  readonly #launchers: ChildProcess[] = [];
  /** The ready lines by the names of the nodes. */
  readonly #lines = new Map<string, string>();
  readonly #flags: readonly string[];

  private constructor(flags: readonly string[]) {
    this.#flags = flags;
  }

  /** Three nodes that replicate their data; resolves when all serve. `flags` go to each node. */
  static async start(flags: readonly string[] = []): Promise<LocalClusterProcesses> {
    const cluster = new LocalClusterProcesses(flags);
    try {
      await cluster.#launch([], ['node1', 'node2', 'node3']);
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  async #launch(args: readonly string[], names: readonly string[]): Promise<void> {
    const own = ['--nodes', '3', '--data-dir', this.#directory, '--ports', 'free'];
    const child = spawn(process.execPath, [program, ...own, ...args, ...this.#flags], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#launchers.push(child);
    createInterface({ input: child.stdout }).on('line', (line) =>
      this.#lines.set(fieldOf(` ${line}`, 'node'), line),
    );
    while (!names.every((name) => this.#lines.has(name))) {
      if (child.exitCode !== null)
        throw new Error(`The cluster ended with code ${child.exitCode} before it served.`);
      await sleep(pollMs);
    }
  }

  get names(): readonly string[] {
    return [...this.#lines.keys()].toSorted();
  }

  get directory(): string {
    return this.#directory;
  }

  #lineOf(name: string): string {
    const line = this.#lines.get(name);
    if (line === undefined) throw new Error(`${name} does not run.`);
    return line;
  }

  pid(name: string): number {
    return Number(fieldOf(this.#lineOf(name), 'pid'));
  }

  driver(name: string): DriverAddress {
    const [host = '', port = ''] = fieldOf(this.#lineOf(name), 'driver').split(':');
    return { host, port: Number(port) };
  }

  signal(name: string, signal: NodeJS.Signals): void {
    process.kill(this.pid(name), signal);
  }

  /** Starts a node that has ended; resolves when it serves. */
  async restart(name: string): Promise<void> {
    this.#lines.delete(name);
    await this.#launch(['--only', name], [name]);
  }

  /** Ends all processes, and removes their data. */
  async close(): Promise<void> {
    for (const name of this.#lines.keys()) {
      try {
        this.signal(name, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    for (const launcher of this.#launchers) {
      if (launcher.exitCode !== null || launcher.signalCode !== null) continue;
      const exit = once(launcher, 'exit');
      launcher.kill('SIGKILL');
      await exit;
    }
    removeDirectory(this.#directory);
  }
}
