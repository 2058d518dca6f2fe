import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { requireLinuxRoot } from '../../k8s/local/host/debian.ts';
import { mustRun, words } from '../../k8s/local/host/run.ts';
import { waitFor } from '../../k8s/local/host/wait.ts';
import { hostRoutes, overlaps } from '../../k8s/local/cluster/network.ts';

/**
 * A network for processes of a test: a network namespace for each host, joined by a bridge in a namespace of
 * its own, and a link to the test. Links between hosts are cut in either direction. The namespaces have no
 * names: they live as long as a process holds them, and every process here is killed by the kernel when the
 * test process ends, however it ends. So nothing is left behind, and nothing else is touched.
 */
export interface TestHost {
  readonly address: string;
  /** Begins a command line that runs on this host, and ends with the test process. */
  readonly prefix: readonly string[];
}

interface Holder {
  readonly child: ChildProcess;
  readonly pid: number;
}

/** The block for tests of networks (RFC 2544): nobody routes it. */
const blocks = Array.from({ length: 256 }, (_, at) => `198.18.${at}`);
const hostsMax = 200;
/** Of the test itself, which no rule concerns. */
const testHost = 254;
const table = 'inet faults';
const startTimeoutMs = 10_000;
/** Of this process so far. */
let networks = 0;

/** The kernel kills the process when the test process ends. */
const tied = words`setpriv --pdeathsig KILL`;

const within = ({ pid }: Holder, command: readonly string[]): string[] =>
  words`nsenter --target ${pid} --net -- ${command}`;

const namespaceOf = (pid: number | 'self'): string | undefined => {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
};

async function holdNamespace(): Promise<Holder> {
  const [program = '', ...args] = words`${tied} unshare --net sleep infinity`;
  const child = spawn(program, args, { stdio: 'ignore' });
  await once(child, 'spawn');
  const pid = child.pid as number;
  const own = namespaceOf('self');
  const isThere = (): boolean => {
    const namespace = namespaceOf(pid);
    return namespace !== undefined && namespace !== own;
  };
  await waitFor(isThere, {
    what: 'a network namespace',
    timeoutMs: startTimeoutMs,
    intervalMs: 10,
  });
  return { child, pid };
}

async function freeBlock(): Promise<string> {
  const routes = await hostRoutes();
  // Two test processes at once begin at different ones.
  const first = process.pid % blocks.length;
  const order = [...blocks.slice(first), ...blocks.slice(0, first)];
  const free = order.find((block) => !routes.some((route) => overlaps(route, `${block}.0/24`)));
  if (free !== undefined) return free;
  throw new Error('198.18.0.0/16 is in use on this machine, which tests of networks need.');
}

export class TestNetwork {
  readonly hosts: readonly TestHost[];
  readonly #bridge: Holder;
  readonly #holders: ReadonlyMap<TestHost, Holder>;

  private constructor(bridge: Holder, holders: ReadonlyMap<TestHost, Holder>) {
    this.#bridge = bridge;
    this.#holders = holders;
    this.hosts = [...holders.keys()];
  }

  static async open(count: number): Promise<TestNetwork> {
    requireLinuxRoot('A test of network faults');
    if (count > hostsMax) throw new Error(`A test network has at most ${hostsMax} hosts.`);
    const block = await freeBlock();
    const bridge = await holdNamespace();
    await mustRun(within(bridge, words`ip link add bridge type bridge`));
    await mustRun(within(bridge, words`ip link set bridge up`));
    const holders = new Map<TestHost, Holder>();
    for (let at = 1; at <= count; at += 1) {
      const holder = await holdNamespace();
      const address = `${block}.${at}`;
      await mustRun(
        words`ip link add eth0 netns ${holder.pid} type veth peer port${at} netns ${bridge.pid}`,
      );
      await plug(bridge, `port${at}`);
      await mustRun(within(holder, words`ip link set lo up`));
      await mustRun(within(holder, words`ip address add ${address}/24 dev eth0`));
      await mustRun(within(holder, words`ip link set eth0 up`));
      holders.set({ address, prefix: words`${tied} ${within(holder, [])}` }, holder);
    }
    networks += 1;
    const device = `pdb${process.pid}n${networks}`;
    await mustRun(words`ip link add ${device} type veth peer test netns ${bridge.pid}`);
    await plug(bridge, 'test');
    await mustRun(words`ip address add ${block}.${testHost}/24 dev ${device}`);
    await mustRun(words`ip link set ${device} up`);
    return new TestNetwork(bridge, holders);
  }

  /** Packets of `from` do not reach `to` any more; the other direction is not touched. */
  async cut(from: readonly TestHost[], to: readonly TestHost[]): Promise<void> {
    for (const receiver of to) {
      const senders = from.filter((host) => host !== receiver).map(({ address }) => address);
      if (senders.length === 0) continue;
      const script = [
        `add table ${table}`,
        `add chain ${table} input { type filter hook input priority -300; policy accept; }`,
        `add rule ${table} input ip saddr { ${senders.join(', ')} } drop`,
      ].join('\n');
      await mustRun(within(this.#holderOf(receiver), words`nft --file -`), { input: script });
    }
  }

  async partition(one: readonly TestHost[], other: readonly TestHost[]): Promise<void> {
    await this.cut(one, other);
    await this.cut(other, one);
  }

  /** Ends all cuts. */
  async heal(): Promise<void> {
    const script = `add table ${table}\ndelete table ${table}`;
    for (const holder of this.#holders.values()) {
      await mustRun(within(holder, words`nft --file -`), { input: script });
    }
  }

  #holderOf(host: TestHost): Holder {
    const holder = this.#holders.get(host);
    if (holder === undefined) throw new Error(`${host.address} is no host of this network.`);
    return holder;
  }

  /** The processes on the hosts have to be ended before. */
  async close(): Promise<void> {
    for (const { child } of [...this.#holders.values(), this.#bridge]) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }
  }
}

async function plug(bridge: Holder, port: string): Promise<void> {
  await mustRun(within(bridge, words`ip link set ${port} master bridge`));
  await mustRun(within(bridge, words`ip link set ${port} up`));
}
