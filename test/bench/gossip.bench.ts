import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { GossipCluster, memberlist, photonMembers } from './gossip-clusters.ts';
import { median } from './measure.ts';
import type { Benchmark, Comparison } from './measure.ts';
import { RpcServer } from './rpc-peers.ts';

/**
 * The membership beside hashicorp/memberlist, each as 32 processes, and requests between nodes beside HTTP/2.
 * `PHOTONDB_BENCH_MEMBERS` makes the clusters smaller.
 */
type Compare = (comparison: Comparison) => Promise<void>;

const members = Number(process.env['PHOTONDB_BENCH_MEMBERS'] ?? 32);
const calmSeconds = 10;
/** Busy loops beside the members, of the same priority as these, and for how long. */
const starvation = { processes: 8, seconds: 15 } as const;
const payload = new Uint8Array(1_024).fill(7);
const inFlight = 64;
const roundMs = 2_000;

/** Ends on its own, whatever happens to this process. */
async function starve(): Promise<void> {
  const { processes, seconds } = starvation;
  const loop = `const end = Date.now() + ${seconds * 1_000}; while (Date.now() < end);`;
  const children = Array.from({ length: processes }, () =>
    spawn(process.execPath, ['-e', loop], { stdio: 'ignore' }),
  );
  await Promise.all(children.map((child) => once(child, 'exit')));
}

async function compareMembership(compare: Compare): Promise<void> {
  const implementations = [await memberlist(), await photonMembers()];
  const clusters: { readonly name: string; readonly cluster: GossipCluster }[] = [];
  try {
    for (const implementation of implementations) {
      const cluster = await GossipCluster.start(implementation, members);
      clusters.push({ name: implementation.name, cluster });
    }
    await compare({
      about: `Bytes that a member of ${members} sends, headers included, nothing happens`,
      unit: 'bytes/s',
      subjects: clusters.map(({ name, cluster }) => ({
        name,
        run: () => cluster.bytesPerSecond(calmSeconds),
      })),
    });
    const firsts = new Map<string, number[]>();
    await compare({
      about: `From the kill of a member of ${members} until all others have declared it dead`,
      unit: 'ms',
      subjects: clusters.map(({ name, cluster }) => ({
        name,
        run: async () => {
          const { first, all } = await cluster.detection();
          firsts.set(name, [...(firsts.get(name) ?? []), first]);
          return all;
        },
      })),
      note: () =>
        [...firsts]
          .map(
            ([name, times]) =>
              `the first declares it after ${Math.round(median(times))} ms: ${name}`,
          )
          .join(', '),
    });
    await compare({
      about: `Members of ${members} that were declared dead by another, and run: ${starvation.processes} busy loops for ${starvation.seconds} s`,
      unit: 'false deaths',
      subjects: clusters.map(({ name, cluster }) => ({
        name,
        run: () => cluster.falseDeaths(starve),
      })),
    });
  } finally {
    for (const { cluster } of clusters) await cluster.close();
  }
}

async function compareRequests(compare: Compare): Promise<void> {
  const server = await RpcServer.start();
  try {
    await compare({
      about: 'Round trip of 1 KiB by mutual TLS, one at a time, p50',
      unit: 'us',
      subjects: server.peers.map((peer) => ({
        name: peer.name,
        run: async () => {
          const times: number[] = [];
          const end = performance.now() + roundMs;
          for (let now = performance.now(); now < end; now = performance.now()) {
            await peer.request(payload);
            times.push((performance.now() - now) * 1_000);
          }
          return median(times);
        },
      })),
    });
    await compare({
      about: `Requests of 1 KiB by mutual TLS, ${inFlight} in flight, for each second of CPU of both processes`,
      unit: 'requests/s',
      subjects: server.peers.map((peer) => ({
        name: peer.name,
        run: async () => {
          let count = 0;
          const [end, cpuBefore] = [performance.now() + roundMs, server.cpuMs()];
          const ask = async (): Promise<void> => {
            while (performance.now() < end) {
              await peer.request(payload);
              count += 1;
            }
          };
          await Promise.all(Array.from({ length: inFlight }, ask));
          return (count * 1_000) / (server.cpuMs() - cpuBefore);
        },
      })),
    });
  } finally {
    await server.close();
  }
}

export const benchmark: Benchmark = {
  about: 'Membership by gossip, and requests between nodes: processes of this machine.',

  async run(compare) {
    await compareRequests(compare);
    await compareMembership(compare);
  },
};
