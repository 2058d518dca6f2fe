import type { Clock } from '../../common/clock.ts';
import { exchangeJoin } from '../../net/join-exchange.ts';
import { machineChance } from '../../node/chance.ts';
import { machineClock } from '../../node/clock.ts';
import { PeerServices } from '../../node/routing/peer-services.ts';
import type { Authority } from '../authority.ts';
import { formCluster } from '../form-cluster.ts';
import { joinCluster } from '../join.ts';
import { Membership } from '../membership.ts';
import type { Role } from '../peer-requests.ts';
import { MemoryFiles } from './memory-files.ts';

/** Whole members of a cluster in one process, with real sockets on loopback and files in memory. */
export interface Disk {
  readonly files: MemoryFiles;
  nodeId: string | undefined;
  clusterId: string | undefined;
}

export const emptyDisk = (): Disk => ({
  files: new MemoryFiles(),
  nodeId: undefined,
  clusterId: undefined,
});

export const copyOf = (disk: Disk): Disk => {
  const files = new MemoryFiles();
  for (const [name, text] of disk.files.all) files.write(name, text);
  return { ...disk, files };
};

export interface MemberOptions {
  readonly name: string;
  readonly roles?: readonly Role[];
  readonly join?: readonly string[];
  readonly token?: string;
  readonly hash?: string;
  readonly found?: boolean;
  readonly certificateLifetimeMs?: number;
  readonly clock?: Clock;
}

export interface Member {
  readonly membership: Membership;
  /** Of the one that founded the cluster. */
  readonly authority: Authority | undefined;
  readonly disk: Disk;
  readonly log: { readonly message: string; readonly reason?: string; readonly name?: string }[];
  readonly failures: Error[];
}

const day = 86_400_000;

export async function startMember(disk: Disk, options: MemberOptions): Promise<Member> {
  const { name, join = [], token, hash, found = false } = options;
  const { files } = disk;
  const clock = options.clock ?? machineClock;
  const roles = options.roles ?? (join.length === 0 ? ['data'] : ['coordinator']);
  const log: { message: string; reason?: string }[] = [];
  const failures: Error[] = [];
  const add = (message: string, fields: object = {}): void => void log.push({ message, ...fields });
  const stopping = new AbortController();
  const formed = await formCluster({
    files,
    clock: machineClock,
    chance: machineChance,
    certificateLifetimeMs: options.certificateLifetimeMs ?? 7 * day,
    roles,
    facts: {
      directory: '/data',
      nodeId: disk.nodeId,
      clusterId: disk.clusterId,
      found,
      join,
      hasBootstrap: token !== undefined && hash !== undefined,
    },
    join: (nodeId, known) =>
      joinCluster({
        addresses: join,
        token: token ?? '',
        authorityHash: hash ?? '',
        nodeId,
        name,
        roles,
        privateKey: known?.privateKey,
        timeoutMs: 5_000,
        clock: machineClock,
        chance: machineChance,
        exchange: exchangeJoin,
        waiting: ({ message }) => add(message),
        signal: stopping.signal,
      }),
    decided: (type) => add(type),
  });
  disk.nodeId = formed.credentials.nodeId;
  disk.clusterId = formed.credentials.clusterId;
  const membership = new Membership({
    formed,
    files,
    name,
    roles,
    version: '1.2.3',
    listen: { host: '127.0.0.1', port: 0 },
    advertise: '127.0.0.1',
    seeds: join,
    clock,
    chance: machineChance,
    log: { info: add, warn: add },
    measured: () => undefined,
    served: new PeerServices(),
    renewed: () => undefined,
    changed: () => undefined,
    quarantineChanged: () => undefined,
    failed: (error) => failures.push(error),
  });
  try {
    await membership.start(stopping.signal);
  } catch (error) {
    await membership.stop();
    throw error;
  }
  return { membership, authority: formed.authority, disk, log, failures };
}

/** How a node sees the others, by their names. */
export const seenBy = ({ membership }: Member): Readonly<Record<string, string>> =>
  Object.fromEntries(
    membership.members
      .filter(({ isSelf }) => !isSelf)
      .map(({ name, status }) => [name, status] as const)
      .sort(([left], [right]) => (left < right ? -1 : 1)),
  );
