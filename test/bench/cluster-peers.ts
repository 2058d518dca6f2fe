import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { goEnvironment } from '../../k8s/local/cluster/kube-build.ts';
import { cacheFolder } from '../../k8s/local/host/files.ts';
import { cached } from '../drivers/cache.ts';
import { LocalClusterProcesses } from '../drivers/local-cluster.ts';
import { removeDirectory, temporaryDirectory } from '../drivers/serve.ts';
import { RawConnection, queryText } from './raw-connection.ts';

/** Three nodes on this machine, of PhotonDB and of etcd, with the same 1 KiB writes. */
export interface ClusterPeer {
  readonly name: string;
  /** What the program of the clients calls it. */
  readonly protocol: 'reql' | 'etcd';
  /** Where clients connect to, by node. */
  readonly addresses: ReadonlyMap<string, string>;
  leader(): Promise<string>;
  /** `kill -9`. */
  kill(node: string): Promise<void>;
  restart(node: string): Promise<void>;
  close(): Promise<void>;
}

const execute = promisify(execFile);
const waitMsMax = 60_000;
const pollMs = 50;

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const since = performance.now();
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    if (performance.now() - since > waitMsMax) throw new Error(`Waited too long for ${what}.`);
    await sleep(pollMs);
  }
}

/** The program of test/bench/etcd, built once. */
export async function peerProgram(): Promise<string> {
  const source = join(import.meta.dirname, 'etcd');
  const names = ['go.mod', 'go.sum', 'main.go', 'etcd.go', 'reql.go'];
  const { stdout: version } = await execute('go', ['version'], { cwd: '/' });
  const { stdout: users } = await execute('go', ['env', '-json', 'GOMODCACHE', 'GOPROXY'], {
    cwd: '/',
  });
  const texts = names.map((name) => readFileSync(join(source, name), 'utf8'));
  const folder = await cached('etcd-peer', [version, ...texts], async (directory) => {
    for (const name of names) copyFileSync(join(source, name), join(directory, name));
    const env = { ...process.env, ...goEnvironment(cacheFolder(), JSON.parse(users) as object) };
    await execute('go', ['build', '-o', 'etcd-peer', '.'], { cwd: directory, env });
  });
  return join(folder, 'etcd-peer');
}

// ---- PhotonDB ----------------------------------------------------------------------------------

class PhotonPeer implements ClusterPeer {
  readonly name = 'PhotonDB';
  readonly protocol = 'reql';
  readonly #processes: LocalClusterProcesses;

  constructor(processes: LocalClusterProcesses) {
    this.#processes = processes;
  }

  get addresses(): ReadonlyMap<string, string> {
    const { names } = this.#processes;
    return new Map(
      names.map((name) => {
        const { host, port } = this.#processes.driver(name);
        return [name, `${host}:${port}`];
      }),
    );
  }

  async ask(node: string, term: unknown): Promise<string> {
    const connection = await RawConnection.open(this.#processes.driver(node));
    try {
      return await connection.run(queryText(term));
    } finally {
      connection.close();
    }
  }

  /** The node whose reads need no hop to another one: by far the fastest for one client. */
  async leader(): Promise<string> {
    const program = await peerProgram();
    let fastest = { node: '', rate: 0 };
    for (const [node, address] of this.addresses) {
      const args = ['load', 'reql', 'read', '1', '300', address];
      const { stdout } = await execute(program, args);
      const { rate } = JSON.parse(stdout) as { readonly rate: number };
      if (rate > fastest.rate) fastest = { node, rate };
    }
    return fastest.node;
  }

  async kill(node: string): Promise<void> {
    this.#processes.signal(node, 'SIGKILL');
  }

  restart(node: string): Promise<void> {
    return this.#processes.restart(node);
  }

  close(): Promise<void> {
    return this.#processes.close();
  }
}

export async function photonCluster(flags: readonly string[] = []): Promise<ClusterPeer> {
  const peer = new PhotonPeer(await LocalClusterProcesses.start(flags));
  try {
    await peer.ask('node1', [57, ['bench']]);
    await until('three nodes for the replicas', async () =>
      /tables_created/.test(
        await peer.ask('node1', [60, [[14, ['bench']], 'documents'], { replicas: 3 }]),
      )
        ? true
        : undefined,
    );
    return peer;
  } catch (error) {
    await peer.close();
    throw error;
  }
}

// ---- etcd --------------------------------------------------------------------------------------

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('A port has a number.');
  return address.port;
}

interface Status {
  readonly leader?: string;
  readonly header: { readonly member_id: string };
}

class EtcdPeer implements ClusterPeer {
  readonly name: string;
  readonly protocol = 'etcd';
  readonly addresses: ReadonlyMap<string, string>;
  readonly #launch: (node: string, isNew: boolean) => ChildProcess;
  readonly #children = new Map<string, ChildProcess>();
  readonly #directory: string;

  constructor(
    name: string,
    parts: {
      readonly directory: string;
      readonly addresses: ReadonlyMap<string, string>;
      launch(node: string, isNew: boolean): ChildProcess;
    },
  ) {
    this.name = name;
    this.addresses = parts.addresses;
    this.#directory = parts.directory;
    this.#launch = (node, isNew) => parts.launch(node, isNew);
    for (const node of this.addresses.keys()) this.#children.set(node, this.#launch(node, true));
  }

  async #status(node: string): Promise<Status> {
    const answer = await fetch(`http://${this.addresses.get(node)}/v3/maintenance/status`, {
      method: 'POST',
      body: '{}',
    });
    return (await answer.json()) as Status;
  }

  leader(): Promise<string> {
    return until('a leader of etcd', async () => {
      const statuses = await Promise.all(
        [...this.addresses.keys()].map(async (node) => ({ node, ...(await this.#status(node)) })),
      );
      const named = new Set(statuses.map(({ leader }) => leader));
      const [leader] = named;
      if (named.size !== 1 || leader === undefined || leader === '0') return undefined;
      return statuses.find(({ header }) => header.member_id === leader)?.node;
    });
  }

  async kill(node: string): Promise<void> {
    const child = this.#children.get(node);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async restart(node: string): Promise<void> {
    this.#children.set(node, this.#launch(node, false));
    await until('a restarted member of etcd', () => this.#status(node));
  }

  async close(): Promise<void> {
    for (const node of this.addresses.keys()) await this.kill(node);
    removeDirectory(this.#directory);
  }
}

export async function etcdCluster(
  program: string,
  { name, flags }: { readonly name: string; readonly flags: readonly string[] },
): Promise<ClusterPeer> {
  const directory = temporaryDirectory();
  const nodes = ['etcd1', 'etcd2', 'etcd3'];
  const peers = new Map<string, string>();
  const addresses = new Map<string, string>();
  for (const node of nodes) {
    peers.set(node, `http://127.0.0.1:${await freePort()}`);
    addresses.set(node, `127.0.0.1:${await freePort()}`);
  }
  const initial = [...peers].map(([node, url]) => `${node}=${url}`).join(',');
  const launch = (node: string, isNew: boolean): ChildProcess => {
    const [url, peer] = [`http://${addresses.get(node)}`, peers.get(node) ?? ''];
    const options = {
      name: node,
      'data-dir': join(directory, node),
      'listen-client-urls': url,
      'advertise-client-urls': url,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': initial,
      'initial-cluster-state': isNew ? 'new' : 'existing',
      'log-level': 'error',
    };
    const args = Object.entries(options).map(([option, value]) => `--${option}=${value}`);
    return spawn(program, ['server', ...args, ...flags], { stdio: 'ignore' });
  };
  const peer = new EtcdPeer(name, { directory, addresses, launch });
  try {
    await peer.leader();
    return peer;
  } catch (error) {
    await peer.close();
    throw error;
  }
}
