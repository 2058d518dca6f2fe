import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MemoryFiles } from '../../dataplane/membership/testing/memory-files.ts';
import { RingKeeper } from '../../dataplane/membership/ring-keeper.ts';
import { writeFile } from '../../dataplane/membership/cluster-files.ts';
import { machineChance } from '../../dataplane/node/chance.ts';
import {
  createAuthority,
  createRequest,
  issueCertificate,
} from '../../dataplane/security/certificates.ts';
import { cached } from '../drivers/cache.ts';
import { TestNetwork } from '../e2e/test-network.ts';
import type { MemberIdentity } from './gossip-member.ts';

/**
 * Clusters of one process for each member, of PhotonDB and of hashicorp/memberlist, each in a network of its
 * own, so that the bytes on its loopback device are those of the cluster.
 */
interface Launch {
  readonly command: readonly string[];
  /** The first line of the standard input, which then stays open. */
  readonly input: string;
  /** What others call this member. */
  readonly id: string;
}

/** How the processes of one implementation are started. */
export interface Implementation {
  readonly name: string;
  launch(at: number): Promise<Launch>;
}

const execute = promisify(execFile);
const firstPort = 7_946;
const seeds = (at: number): readonly string[] => (at === 0 ? [] : [`127.0.0.1:${firstPort}`]);
const waitMsMax = 240_000;
const day = 86_400_000;

export async function memberlist(): Promise<Implementation> {
  const source = join(import.meta.dirname, 'memberlist');
  const names = ['go.mod', 'go.sum', 'main.go'];
  const { stdout: version } = await execute('go', ['version'], { cwd: '/' });
  const texts = names.map((name) => readFileSync(join(source, name), 'utf8'));
  const folder = await cached('memberlist-peer', [version, ...texts], async (directory) => {
    for (const name of names) copyFileSync(join(source, name), join(directory, name));
    await execute('go', ['build', '-o', 'member', '.'], { cwd: directory });
  });
  return {
    name: 'memberlist',
    launch: async (at) => {
      const [id, port] = [`member${at}`, String(firstPort + at)];
      return { command: [join(folder, 'member'), id, port, ...seeds(at)], input: '', id };
    },
  };
}

export async function photonMembers(): Promise<Implementation> {
  const [clusterId, now] = [machineChance.uuid(), Date.now()];
  const authority = await createAuthority(clusterId, now, day);
  const ring = new MemoryFiles();
  RingKeeper.create(ring, machineChance);
  const program = fileURLToPath(new URL('./gossip-member.ts', import.meta.url));
  return {
    name: 'PhotonDB',
    launch: async (at) => {
      const identity = { clusterId, nodeId: machineChance.uuid() };
      const { privateKey, request } = await createRequest();
      const issue = { identity, now, lifetimeMs: day };
      const certificate = await issueCertificate(authority, request, issue);
      const files = new MemoryFiles();
      files.write('ring.json', ring.read('ring.json') ?? '');
      const authorities = [authority.certificate];
      writeFile(files, 'credentials', { ...identity, privateKey, certificate, authorities });
      const member: MemberIdentity = {
        name: `member${at}`,
        port: firstPort + at,
        seeds: seeds(at),
        files: Object.fromEntries(files.all),
      };
      const command = [process.execPath, program];
      return { command, input: `${JSON.stringify(member)}\n`, id: identity.nodeId };
    },
  };
}

class RunningMember {
  readonly id: string;
  readonly #child: ChildProcess;
  readonly #isDead = new Map<string, boolean>();
  /** Of others that it has declared dead. */
  readonly deaths: string[] = [];

  constructor({ command, input, id }: Launch, prefix: readonly string[]) {
    const [program = '', ...args] = [...prefix, ...command];
    this.id = id;
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin?.on('error', () => undefined).write(input);
    if (this.#child.stdout === null) throw new Error('a member has no standard output');
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#hear(line));
  }

  #hear(line: string): void {
    const [status = '', id = ''] = line.split(' ');
    if (status === 'suspect') return;
    const isDead = status !== 'alive';
    if (isDead && this.#isDead.get(id) === false) this.deaths.push(id);
    this.#isDead.set(id, isDead);
  }

  sees(id: string): 'alive' | 'dead' | 'unknown' {
    const isDead = this.#isDead.get(id);
    if (isDead === undefined) return 'unknown';
    return isDead ? 'dead' : 'alive';
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}

export class GossipCluster {
  readonly #implementation: Implementation;
  readonly #network: TestNetwork;
  #members: RunningMember[] = [];

  private constructor(implementation: Implementation, network: TestNetwork) {
    this.#implementation = implementation;
    this.#network = network;
  }

  /** Resolves when all members see each other. */
  static async start(implementation: Implementation, count: number): Promise<GossipCluster> {
    const cluster = new GossipCluster(implementation, await TestNetwork.open(1));
    try {
      for (let at = 0; at < count; at += 1) await cluster.#startMember(at);
      await cluster.#until(
        'alive',
        cluster.#members.map(({ id }) => id),
      );
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  get #prefix(): readonly string[] {
    return this.#network.hosts[0]?.prefix ?? [];
  }

  async #startMember(at: number): Promise<void> {
    const member = new RunningMember(await this.#implementation.launch(at), this.#prefix);
    this.#members[at] = member;
  }

  /** Every member sees each of the others in this way. */
  async #until(status: 'alive' | 'dead', ids: readonly string[]): Promise<void> {
    const since = performance.now();
    const isOver = (): boolean =>
      this.#members.every((member) =>
        ids.every((id) => id === member.id || member.sees(id) === status),
      );
    while (!isOver()) {
      if (performance.now() - since > waitMsMax) {
        throw new Error(`The members of ${this.#implementation.name} do not agree: ${status}.`);
      }
      await sleep(2);
    }
  }

  /** Milliseconds from a kill until the first of the others declares the member dead, and until all have. */
  async detection(): Promise<{ readonly first: number; readonly all: number }> {
    const at = this.#members.length - 1;
    const killed = this.#members[at] as RunningMember;
    const others = this.#members.slice(0, -1);
    const since = performance.now();
    await killed.kill();
    this.#members = others;
    while (!others.some((member) => member.sees(killed.id) === 'dead')) {
      if (performance.now() - since > waitMsMax) throw new Error('Nobody notices a killed member.');
      await sleep(2);
    }
    const first = performance.now() - since;
    await this.#until('dead', [killed.id]);
    const all = performance.now() - since;
    await this.#startMember(at);
    await this.#until(
      'alive',
      this.#members.map(({ id }) => id),
    );
    return { first, all };
  }

  /** Bytes that a member sends in a second, headers included. */
  async bytesPerSecond(seconds: number): Promise<number> {
    const before = await this.#loopbackBytes();
    await sleep(seconds * 1_000);
    const after = await this.#loopbackBytes();
    return (after - before) / seconds / this.#members.length;
  }

  async #loopbackBytes(): Promise<number> {
    const [program = '', ...args] = this.#prefix;
    const { stdout } = await execute(program, [...args, 'cat', '/proc/self/net/dev']);
    return Number(/^\s*lo:\s*(\d+)/m.exec(stdout)?.[1]);
  }

  /** How often a member that runs is declared dead while `work` is done, and until all agree again. */
  async falseDeaths(work: () => Promise<void>): Promise<number> {
    const count = (): number => this.#members.reduce((sum, { deaths }) => sum + deaths.length, 0);
    const before = count();
    await work();
    await this.#until(
      'alive',
      this.#members.map(({ id }) => id),
    );
    return count() - before;
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()));
    await this.#network.close();
  }
}
