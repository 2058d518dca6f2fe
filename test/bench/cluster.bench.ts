import { execFile, spawn } from 'node:child_process';
import { loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { etcdCluster, peerProgram, photonCluster } from './cluster-peers.ts';
import type { ClusterPeer } from './cluster-peers.ts';
import { median } from './measure.ts';
import type { Benchmark, Comparison } from './measure.ts';

/**
 * Three nodes on loopback and one disk beside three of etcd. The clients of both are one program of Go, with one
 * request under way each; the nodes of all clusters run throughout, and those that are not asked are idle.
 */
const roundMs = Number(process.env['PHOTONDB_BENCH_ROUND_MS'] ?? 2_000);
const trials = Number(process.env['PHOTONDB_BENCH_TRIALS'] ?? 20);
const execute = promisify(execFile);
const failoverMsMax = 60_000;
/** Every group has what it missed, and leadership has settled. */
const settleMs = 3_000;

interface Load {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
  readonly cpuSeconds: number;
}

interface Workload {
  readonly about: string;
  readonly kind: 'write' | 'read';
  readonly clients: number;
  /** Clients connect to the leader, or to all nodes alike. */
  readonly to: 'leader' | 'all';
}

const workloads: readonly Workload[] = [
  {
    about: 'durable writes of 1 KiB, 64 clients at all nodes',
    kind: 'write',
    clients: 64,
    to: 'all',
  },
  {
    about: 'durable writes of 1 KiB, 64 clients at the leader',
    kind: 'write',
    clients: 64,
    to: 'leader',
  },
  {
    about: 'durable writes of 1 KiB, one client at the leader',
    kind: 'write',
    clients: 1,
    to: 'leader',
  },
  { about: 'linearizable reads, 64 clients at all nodes', kind: 'read', clients: 64, to: 'all' },
  {
    about: 'linearizable reads, 64 clients at the leader',
    kind: 'read',
    clients: 64,
    to: 'leader',
  },
];

async function load(program: string, peer: ClusterPeer, workload: Workload): Promise<Load> {
  const { kind, clients, to } = workload;
  const addresses =
    to === 'all' ? [...peer.addresses.values()] : [peer.addresses.get(await peer.leader()) ?? ''];
  const args = ['load', peer.protocol, kind, `${clients}`, `${roundMs}`, ...addresses];
  const { stdout } = await execute(program, args);
  const result = JSON.parse(stdout) as Load;
  if (result.errors > 0) throw new Error(`${peer.name} failed ${result.errors} requests.`);
  return result;
}

function comparisonOf(
  program: string,
  workload: Workload,
  peers: readonly ClusterPeer[],
): Comparison {
  const loads = new Map<string, Load[]>(peers.map(({ name }) => [name, []]));
  const textOf = (name: string, all: readonly Load[]): string => {
    const [, ...counted] = all;
    const of = (pick: (load: Load) => number): string =>
      median(counted.map((each) => pick(each))).toPrecision(3);
    const cpu = median(counted.map(({ cpuSeconds }) => (cpuSeconds * 1_000) / roundMs));
    return `${name}: p50 ${of(({ p50 }) => p50)} ms, p99 ${of(({ p99 }) => p99)} ms, clients ${cpu.toFixed(2)} of a core`;
  };
  return {
    about: workload.about,
    unit: '/s',
    subjects: peers.toReversed().map((peer) => ({
      name: peer.name,
      run: async () => {
        const result = await load(program, peer, workload);
        loads.get(peer.name)?.push(result);
        return result.rate;
      },
    })),
    note: () =>
      [...loads].map(([name, all]) => textOf(name, all)).join('; ') +
      `; load average ${loadavg()[0]?.toFixed(1)}`,
  };
}

/** Milliseconds from `kill -9` of the leader to the first acknowledged write that was begun after it. */
async function failover(program: string, peer: ClusterPeer): Promise<number> {
  const leader = await peer.leader();
  const others = [...peer.addresses].filter(([node]) => node !== leader).map(([, at]) => at);
  const watch = spawn(program, ['watch', peer.protocol, ...others], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const first = Promise.withResolvers<number>();
  const begins = Promise.withResolvers<void>();
  let killedAt = Number.POSITIVE_INFINITY;
  createInterface({ input: watch.stdout }).on('line', (line) => {
    begins.resolve();
    const [, begun, ended] = line.split(' ').map(Number);
    if ((begun ?? 0) > killedAt) first.resolve((ended ?? 0) - killedAt);
  });
  const over = new AbortController();
  const late = sleep(failoverMsMax, undefined, { signal: over.signal }).then(
    () => Promise.reject(new Error(`${peer.name} takes no write.`)),
    () => 0,
  );
  try {
    await Promise.race([begins.promise, late]);
    // At any moment between two heartbeats.
    await sleep(500 + Math.random() * 200);
    killedAt = Date.now();
    await peer.kill(leader);
    return await Promise.race([first.promise, late]);
  } finally {
    over.abort();
    watch.stdin.end();
    await peer.restart(leader);
    await sleep(settleMs);
  }
}

async function compareFailovers(
  program: string,
  peers: readonly ClusterPeer[],
  compare: (comparison: Comparison) => Promise<void>,
): Promise<void> {
  const times = new Map<string, number[]>(peers.map(({ name }) => [name, []]));
  await compare({
    about: `kill -9 of the leader until a write is acknowledged, ${trials} trials, median of each round`,
    unit: 'ms',
    subjects: peers.toReversed().map((peer) => ({
      name: peer.name,
      run: async () => {
        const own: number[] = [];
        for (let trial = 0; trial < trials / 5; trial += 1) own.push(await failover(program, peer));
        times.get(peer.name)?.push(...own);
        return median(own);
      },
    })),
    note: () =>
      [...times]
        .map(
          ([name, own]) =>
            `${name}: ${own.length} trials, median ${median(own)}, most ${Math.max(...own)}`,
        )
        .join('; ') + `; load average ${loadavg()[0]?.toFixed(1)}`,
  });
}

const parts = (process.env['PHOTONDB_BENCH_PARTS'] ?? 'load,failover').split(',');

export const benchmark: Benchmark = {
  about: 'A cluster of three nodes on one machine, beside etcd.',

  async run(compare) {
    const program = await peerProgram();
    const peers: ClusterPeer[] = [];
    try {
      const defaults = { name: 'etcd', flags: [] };
      peers.push(await photonCluster(['--query-workers', '1']));
      peers.push(await etcdCluster(program, defaults));
      if (parts.includes('load'))
        for (const workload of workloads) await compare(comparisonOf(program, workload, peers));
      if (parts.includes('failover')) {
        const flags = ['--heartbeat-interval=100', '--election-timeout=500'];
        peers.push(await etcdCluster(program, { name: 'etcd, 500 ms', flags }));
        await compareFailovers(program, peers, compare);
      }
    } finally {
      await Promise.allSettled(peers.map((peer) => peer.close()));
    }
  },
};
