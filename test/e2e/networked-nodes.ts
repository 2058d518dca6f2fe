import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { askAdmin } from '../../dataplane/node/admin-tool/client.ts';
import { failedRequestsAt } from '../integration/testing/traffic.ts';
import { end, removeDirectory, start, temporaryDirectory } from '../drivers/serve.ts';
import type { DriverAddress } from '../drivers/local-cluster.ts';
import type { Served } from '../drivers/serve.ts';
import { SmallVolume } from './small-volume.ts';
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
export const password = 'of these tests';

const coordinating = ['--roles', 'coordinator,consensus'];

/** Of a machine with much else to do: a bound on what hangs. */
const endDeadlineMs = 120_000;

export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = sleep(ms, undefined, { signal: over.signal, ref: false }).then(() => {
    throw new Error(`${what} takes longer than ${ms} ms`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}

export class NetworkedNode {
  readonly name: string;
  readonly host: TestHost;
  readonly #directory: string;
  #volume: SmallVolume | undefined;
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

  /** Its data lies on a file system of its own, of so many MiB. Before the first start. */
  async mount(mebibytes: number): Promise<void> {
    this.#volume = await SmallVolume.mount(this.#directory, mebibytes);
  }

  /** Of a node that was given one. */
  get volume(): SmallVolume {
    if (this.#volume === undefined) throw new Error(`${this.name} has no volume of its own`);
    return this.#volume;
  }

  /** When it has ended. */
  async unmount(): Promise<void> {
    await this.#volume?.unmount();
    this.#volume = undefined;
  }

  get #running(): Served {
    if (this.#served === undefined) throw new Error(`${this.name} does not run`);
    return this.#served;
  }

  /** Undefined while it does not run. */
  get driver(): DriverAddress | undefined {
    if (this.#served === undefined) return undefined;
    const { host, driverPort: port } = this.#served;
    return { host, port };
  }

  get log(): string {
    return this.#running.log();
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
    if (/"a node (is|has) /.test(line)) this.#changes.push(JSON.parse(line) as Change);
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#running.process.kill(name);
  }

  async kill(): Promise<void> {
    const { process: child } = this.#running;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    this.#served = undefined;
    await exit;
  }

  async stop(): Promise<void> {
    if (this.#served !== undefined) await end(this.#served, 'SIGKILL');
  }

  /** Ends it as an administrator does; throws when it does not end in order. */
  async terminate(): Promise<void> {
    const served = this.#running;
    const code = await within(endDeadlineMs, `the end of ${this.name}`, end(served));
    this.#served = undefined;
    if (code !== 0) throw new Error(`${this.name} ended with code ${code}:\n${served.log()}`);
  }

  /** Requests to other nodes that did not end well, as the node counts them. */
  failedRequests(): Promise<readonly string[]> {
    return failedRequestsAt(this.#running.httpUrl);
  }

  /** Asks its admin API, as an administrator with the authority of the founder does. */
  async administer(founder: NetworkedNode, method: 'GET' | 'POST', path: string) {
    const text = readFileSync(join(this.#directory, 'cluster', 'admin.json'), 'utf8');
    const { address } = JSON.parse(text) as { readonly address: string };
    return askAdmin(founder.directory, address, { method, path: `/admin/v1/${path}` });
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

  readonly #flags: readonly string[];

  private constructor(network: TestNetwork, directory: string, flags: readonly string[]) {
    this.network = network;
    this.#directory = directory;
    this.#flags = flags;
    this.all = network.hosts.map((host, at) => new NetworkedNode(`node${at + 1}`, host, directory));
  }

  /**
   * The first one founds the cluster; resolves when all serve. `flags` go to each node but the first, and `founderFlags`
   * to that one. Of more hosts than nodes, the last ones have none yet. With `volumeMib`, each node's data lies on a file
   * system of its own.
   */
  static async form(
    count: number,
    {
      hosts = count,
      flags = coordinating,
      founderFlags = [],
      volumeMib,
    }: {
      readonly hosts?: number;
      readonly flags?: readonly string[];
      readonly founderFlags?: readonly string[];
      readonly volumeMib?: number;
    } = {},
  ): Promise<NetworkedNodes> {
    const nodes = new NetworkedNodes(await TestNetwork.open(hosts), temporaryDirectory(), flags);
    try {
      if (volumeMib !== undefined) for (const node of nodes.all) await node.mount(volumeMib);
      const [founder, ...others] = nodes.all.slice(0, count);
      await founder?.start(founderFlags);
      await Promise.all(others.map((node) => nodes.join(node)));
      return nodes;
    } catch (error) {
      await nodes.close();
      throw error;
    }
  }

  /** Starts a node that has no data yet. */
  async join(node: NetworkedNode): Promise<void> {
    const [founder] = this.all;
    const answer = await askAdmin(founder?.directory ?? '', undefined, {
      method: 'POST',
      path: '/admin/v1/join-tokens',
    });
    const { address, token, authorityHash } = answer;
    const join = ['--join', address, '--join-token', token, '--join-ca-hash', authorityHash];
    await node.start([...this.#flags, ...join.map(String)]);
  }

  async close(): Promise<void> {
    await this.network.heal();
    for (const node of this.all) {
      await node.stop();
      await node.unmount();
    }
    await this.network.close();
    removeDirectory(this.#directory);
  }
}
