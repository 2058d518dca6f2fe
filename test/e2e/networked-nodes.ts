import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { askAdmin } from '../../dataplane/node/admin-tool/client.ts';
import { end, removeDirectory, start, temporaryDirectory } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';
import { TestNetwork } from './test-network.ts';
import type { TestHost } from './test-network.ts';

/** Real nodes of one cluster, each on a host of its own in a network that a test can cut. */
interface Shown {
  readonly name: string;
  readonly id: string;
  readonly status: string;
}

/** A change of a member that a node has logged. */
interface Change {
  readonly name: string;
  readonly status: string;
}

/** Other nodes are reached at addresses that are no loopback: these need a password. */
const password = 'of these tests';

export class NetworkedNode {
  readonly name: string;
  readonly host: TestHost;
  readonly #directory: string;
  #served: Served | undefined;
  /** Since the last mark. */
  #changes: Change[] = [];

  constructor(name: string, host: TestHost, parent: string) {
    this.name = name;
    this.host = host;
    this.#directory = join(parent, name);
    mkdirSync(this.#directory);
  }

  get directory(): string {
    return this.#directory;
  }

  get #running(): Served {
    if (this.#served === undefined) throw new Error(`${this.name} does not run`);
    return this.#served;
  }

  async start(flags: readonly string[]): Promise<void> {
    const file = join(this.#directory, '..', 'password');
    writeFileSync(file, password);
    const own = ['--bind', this.host.address, '--node-name', this.name];
    const all = [...own, '--admin-password-file', file, ...flags];
    this.#served = await start(this.#directory, all, this.host.prefix).serving;
    const { stderr } = this.#served.process;
    if (stderr !== null) createInterface({ input: stderr }).on('line', (line) => this.#hear(line));
  }

  #hear(line: string): void {
    if (line.includes('"a node is ')) this.#changes.push(JSON.parse(line) as Change);
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#running.process.kill(name);
  }

  async kill(): Promise<void> {
    const { process: child } = this.#running;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async stop(): Promise<void> {
    if (this.#served !== undefined) await end(this.#served, 'SIGKILL');
  }

  async members(): Promise<ReadonlyMap<string, Shown>> {
    const response = await fetch(`http://${this.#running.httpUrl}/health`);
    const { cluster } = (await response.json()) as {
      readonly cluster: { readonly members: readonly Shown[] };
    };
    return new Map(cluster.members.map((member) => [member.name, member]));
  }

  /** 0 before the first of a counted thing. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://${this.#running.httpUrl}/_metrics`)).text();
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1) ?? 0);
  }

  /** What it logs from here on is new. */
  mark(): void {
    this.#changes = [];
  }

  /** What it said of a member since the mark, in order. */
  saidOf(name: string): readonly string[] {
    return this.#changes.filter((change) => change.name === name).map(({ status }) => status);
  }

  /** Who it has declared dead since the mark. */
  deaths(): readonly string[] {
    const dead = this.#changes.filter(({ status }) => status === 'dead');
    return [...new Set(dead.map(({ name }) => name))].sort();
  }
}

export class NetworkedNodes {
  readonly network: TestNetwork;
  readonly all: readonly NetworkedNode[];
  readonly #directory: string;

  private constructor(network: TestNetwork, directory: string) {
    this.network = network;
    this.#directory = directory;
    this.all = network.hosts.map((host, at) => new NetworkedNode(`node${at + 1}`, host, directory));
  }

  /** The first one founds the cluster; resolves when all serve. */
  static async form(count: number): Promise<NetworkedNodes> {
    const nodes = new NetworkedNodes(await TestNetwork.open(count), temporaryDirectory());
    try {
      const [founder, ...others] = nodes.all;
      await founder?.start([]);
      await Promise.all(
        others.map(async (node) => {
          const { address, token, authorityHash } = await askAdmin(
            founder?.directory ?? '',
            undefined,
            { method: 'POST', path: '/admin/v1/join-tokens' },
          );
          const join = ['--join', address, '--join-token', token, '--join-ca-hash', authorityHash];
          await node.start(['--roles', 'coordinator,consensus', ...join.map(String)]);
        }),
      );
      return nodes;
    } catch (error) {
      await nodes.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.network.heal();
    for (const node of this.all) await node.stop();
    await this.network.close();
    removeDirectory(this.#directory);
  }
}
