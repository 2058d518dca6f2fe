/**
 * A real node in a process of its own, as in a pod: it finds the files that a kubelet would mount, in a mount
 * namespace of its own, and talks to the real API server and to the real operator. The test plays the kubelet.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { words } from '../../../k8s/local/host/run.ts';
import { tokenOfAccount } from '../../../operator/cluster/testing/accounts.ts';
import type { SignedOrder } from '../../../dataplane/membership/orders.ts';
import { eventually } from '../../../operator/cluster/testing/api-types.ts';
import type { Stage } from '../../../operator/cluster/testing/stage.ts';
import type { KubeObject } from '../../../operator/kube/object.ts';
import { resources } from '../../../operator/kube/object.ts';
import { controlPlaneConfig } from '../../../operator/kube/testing/control-plane.ts';
import { failedRequestsAt } from './traffic.ts';

const root = join(import.meta.dirname, '..', '..', '..');
/** In a mount namespace: what is mounted and made there is gone with the process. */
const script = `mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/photondb.io &&
mount --bind "$0" /run/secrets/photondb.io && exec "$@"`;
const readyMs = 120_000;

interface ConfigMap extends KubeObject {
  readonly data: Readonly<Record<string, string>>;
}

export interface PodAt {
  readonly cluster: string;
  readonly name: string;
  /** Addresses of the nodes by name, in place of the names that a DNS would know. */
  readonly addresses: Map<string, string>;
}

export class PodProcess {
  readonly #stage: Stage;
  readonly #at: PodAt;
  readonly #folder = mkdtempSync(join(tmpdir(), 'photondb-pod-'));
  #child: ChildProcess | undefined;
  #output = '';

  constructor(stage: Stage, at: PodAt) {
    this.#stage = stage;
    this.#at = at;
    mkdirSync(this.#identity);
  }

  get #identity(): string {
    return join(this.#folder, 'identity');
  }

  get name(): string {
    return this.#at.name;
  }

  get output(): string {
    return this.#output;
  }

  #write(file: string, text: string): void {
    writeFileSync(join(this.#identity, file), text);
  }

  #token(audience?: string): Promise<string> {
    return tokenOfAccount(this.#stage.client, {
      namespace: this.#stage.namespace,
      account: `${this.#at.cluster}-node`,
      pod: this.name,
      ...(audience === undefined ? {} : { audience }),
    });
  }

  /** What the kubelet mounts; the signing endpoint is at `port` of this machine. */
  async mount(port: number): Promise<void> {
    const { cluster, addresses } = this.#at;
    const { ca = '' } = await (await controlPlaneConfig()).credentials();
    const trust = await this.#stage.find<ConfigMap>(resources.configMaps, `${cluster}-ca`);
    const { data = {} } = trust ?? {};
    const nodes = (data['nodes'] ?? '').split('\n').flatMap((line) => {
      const [name = '', , roles = ''] = line.split(' ');
      const address = addresses.get(name) ?? '127.0.0.1:1';
      return name === '' ? [] : [`${name} ${address} ${roles}\n`];
    });
    this.#write('token', await this.#token());
    this.#write('certificate-token', await this.#token('photondb.io/certificates'));
    this.#write('ca.crt', ca);
    this.#write('namespace', this.#stage.namespace);
    this.#write('cluster-ca.crt', data['ca.crt'] ?? '');
    this.#write('cluster-nodes', nodes.join(''));
    this.#write('certificate-server-name', data['server-name'] ?? '');
    this.#write('certificate-endpoint', `https://127.0.0.1:${port}`);
  }

  /** Starts the process; `whenReady` waits for it. */
  async start(): Promise<void> {
    const { cluster, name, addresses } = this.#at;
    const { hostname, port } = new URL((await controlPlaneConfig()).server);
    const pod = await this.#stage.kubelet.pod(name);
    const clusterPort = addresses.get(name)?.split(':').at(-1) ?? '0';
    const ports = ['driver', 'http', 'web', 'admin'].flatMap((kind) => [`--${kind}-port`, '0']);
    const data = join(this.#folder, 'data');
    const flags = words`--data-dir ${data} --cluster-name ${cluster} --node-name ${name}
      --cluster-port ${clusterPort} ${ports}`;
    const command = [process.execPath, 'dataplane/node/main.ts', ...flags];
    const child = spawn('unshare', ['--mount', 'sh', '-c', script, this.#identity, ...command], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: port,
        PHOTONDB_REVISION: pod?.metadata.annotations?.['photondb.io/revision'] ?? '',
      },
    });
    this.#output = '';
    const hear = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-262_144);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    this.#child = child;
  }

  #field(name: string): string {
    return new RegExp(`^ready .* ${name}=(\\S+)`, 'm').exec(this.#output)?.[1] ?? '';
  }

  /** Where drivers connect. */
  get driver(): { readonly host: string; readonly port: number } {
    const [host = '', port = ''] = this.#field('driver').split(':');
    return { host, port: Number(port) };
  }

  /** The orders of administrators that the node has stored, signed. */
  get orders(): readonly SignedOrder[] {
    const text = readFileSync(join(this.#folder, 'data', 'cluster', 'orders.json'), 'utf8');
    return (JSON.parse(text) as { readonly orders: readonly SignedOrder[] }).orders;
  }

  /** Requests to other nodes that did not end well, as the node counts them. */
  async failedRequests(): Promise<readonly string[]> {
    return failedRequestsAt(this.#field('http'));
  }

  /** It serves, and the test as its kubelet says so. */
  async whenReady(): Promise<void> {
    await this.says(/^ready /m);
    const address = this.#field('cluster');
    if (address !== '') this.#at.addresses.set(this.name, address);
    const admin = readFileSync(join(this.#folder, 'data', 'cluster', 'admin.json'), 'utf8');
    const at = (JSON.parse(admin) as { readonly address: string }).address;
    const [, host = '', port = ''] = /^\[?(.+?)\]?:(\d+)$/.exec(at) ?? [];
    this.#stage.adminAddresses.set(this.name, { host, port: Number(port) });
    await this.#stage.kubelet.setReady(this.name, true);
  }

  async says(words: RegExp): Promise<void> {
    try {
      await eventually(
        `${this.name} to say ${words}`,
        async () => words.test(this.#output),
        readyMs,
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}:\n${this.#output.slice(-4_000)}`, {
        cause: error,
      });
    }
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  /** The volume is lost. */
  loseData(): void {
    rmSync(join(this.#folder, 'data'), { recursive: true, force: true });
  }

  async remove(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
