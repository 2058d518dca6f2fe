import { parseAddress } from '../../common/address.ts';
import type { Clock } from '../../common/clock.ts';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { machineChance } from '../../node/chance.ts';
import { machineClock } from '../../node/clock.ts';
import { TlsTransport } from '../../net/tls-transport.ts';
import { createRequest, verifyCertificate } from '../../security/certificates.ts';
import { Authority } from '../authority.ts';
import type { StoredCredentials } from '../cluster-files.ts';
import type { Introduction } from '../introduction.ts';
import { Mesh } from '../mesh.ts';
import type { MeshOptions, PeerInfo, Target } from '../mesh.ts';
import type { Role } from '../peer-requests.ts';
import { MemoryFiles } from './memory-files.ts';

/** Nodes with real sessions on loopback, and nothing above them. */
const clusterId = '11111111-2222-4333-8444-555555555555';
const day = 86_400_000;
const mib = 1_048_576;
const tendMs = 20;

export const nodeIdOf = (letter: string): string =>
  `${letter.repeat(8)}-0000-4000-8000-000000000000`;

/** `certificateLifetimeMs`: of the certificates that it issues; negative for expired ones. */
export const testAuthority = (certificateLifetimeMs = day): Promise<Authority> =>
  Authority.create(
    {
      files: new MemoryFiles(),
      clock: machineClock,
      chance: { bytes: randomBytes },
      certificateLifetimeMs,
    },
    clusterId,
  );

export async function testCredentials(
  authority: Authority,
  nodeId: string,
  certified: readonly Role[] = [],
): Promise<StoredCredentials> {
  const { privateKey, request } = await createRequest();
  const admission = await authority.certify(nodeId, request, certified);
  return { ...admission, nodeId, privateKey };
}

export interface MeshNode extends Seen {
  readonly id: string;
  readonly mesh: Mesh;
  readonly address: string;
  /** Dialed again and again from now on. */
  targets: Target[];
  /** A session, and nothing that would introduce this node. */
  dial(other: MeshNode): Promise<void>;
  close(): Promise<void>;
}

export interface MeshNodeOptions {
  /** What it says. */
  readonly roles?: readonly Role[];
  /** What its certificate says; nothing, as in earlier releases, when it is left out. */
  readonly certified?: readonly Role[];
  readonly instance?: string;
  /** Of the mesh, not of its sessions. */
  readonly clock?: Clock;
  readonly handlers?: Partial<MeshOptions['handlers']>;
  readonly notices?: MeshOptions['notices'];
  readonly credentials?: StoredCredentials;
  readonly verify?: MeshOptions['verify'];
  readonly quarantined?: MeshOptions['quarantined'];
  readonly connected?: (mesh: Mesh, peer: PeerInfo) => void;
}

const answer = (text: string): Promise<Uint8Array> => Promise.resolve(Buffer.from(text));

const canned = {
  readRing: () => answer('ring'),
  writeRing: () => answer('written'),
  renewCertificate: () => answer('certificate'),
  admit: () => answer('admitted'),
  createToken: () => answer('token'),
  readTable: () => answer('rows'),
  editTable: () => answer('outcomes'),
  changeCatalog: () => answer('changed'),
  watchCatalog: () => answer('catalog'),
  raft: () => answer(''),
  readOrders: () => answer('orders'),
  snapshot: () => answer(''),
  changeMetadata: () => answer(''),
  readReplicas: () => answer(''),
  succeed: () => answer('certificate'),
  readNeed: () => answer(''),
};

interface Seen {
  readonly warnings: { readonly message: string; readonly reason?: string }[];
  readonly refused: Error[];
  readonly duplicates: Error[];
  readonly lost: PeerInfo[];
}

function transportOf(mesh: Mesh, credentials: StoredCredentials, seen: Seen): TlsTransport {
  const { nodeId, authorities } = credentials;
  return new TlsTransport(
    {
      own: { clusterId, nodeId },
      clock: machineClock,
      queueBytesMax: { consensus: mib, interactive: 8 * mib, bulk: 8 * mib },
      incomingMax: 100,
      handshakeMs: 5_000,
      connectionsMax: 100,
      identify: async (certificate) => {
        const verified = await verifyCertificate(certificate, authorities, Date.now());
        return { ...verified.identity, roles: verified.roles };
      },
      handle: (incoming, session) => mesh.handle(session, incoming),
      noticed: (session, type, payload) => mesh.noticed(session, type, payload),
      opened: (session, peer, isDialed) => mesh.opened(session, peer, isDialed),
      ended: (session, reason) => mesh.ended(session, reason),
      refused: (_, reason) => seen.refused.push(reason),
    },
    credentials,
  );
}

export async function meshNode(
  authority: Authority,
  letter: string,
  options: MeshNodeOptions = {},
): Promise<MeshNode> {
  const id = nodeIdOf(letter);
  const credentials =
    options.credentials ?? (await testCredentials(authority, id, options.certified));
  const own = { clusterId, nodeId: id };
  const stopping = new AbortController();
  const seen: Seen = { warnings: [], refused: [], duplicates: [], lost: [] };
  let address = '';
  const introduction = (): Introduction => ({
    name: letter,
    roles: options.roles ?? ['data', 'coordinator', 'consensus'],
    address,
    instance: options.instance ?? `first ${letter}`,
    statement: '',
  });
  const mesh = new Mesh({
    own,
    clock: options.clock ?? machineClock,
    chance: machineChance,
    introduction,
    verify: options.verify ?? (() => Promise.resolve()),
    handlers: {
      ...canned,
      gossip: (payload, peer) =>
        answer(`${peer.introduction.name} says ${Buffer.from(payload).toString()}`),
      ...options.handlers,
    },
    notices: options.notices ?? { raft: () => undefined },
    connected: (peer) => options.connected?.(mesh, peer),
    disconnected: (peer) => seen.lost.push(peer),
    duplicated: (error) => seen.duplicates.push(error),
    doubled: () => undefined,
    quarantined: options.quarantined ?? (() => undefined),
    warn: (message, fields) => seen.warnings.push({ message, ...fields }),
    measured: () => undefined,
  });
  const transport = transportOf(mesh, credentials, seen);
  mesh.use(transport);
  const { port } = await transport.listen('127.0.0.1', 0);
  address = `127.0.0.1:${port}`;
  const node: MeshNode = {
    ...seen,
    id,
    mesh,
    address,
    targets: [],
    async dial(other) {
      const at = parseAddress(other.address);
      await transport.dial(at?.host ?? '', at?.port ?? 0, other.id);
    },
    async close() {
      stopping.abort();
      mesh.close(new Error('the node is stopping'));
      await transport.close();
    },
  };
  void (async () => {
    while (!stopping.signal.aborted) {
      mesh.tend(node.targets);
      await sleep(tendMs);
    }
  })();
  return node;
}

/** A test that waits indefinitely ends by its own time limit. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}
