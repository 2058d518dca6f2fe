import type { Member } from '../gossip/member.ts';
import { isDiskFull, readFile, writeFile } from './cluster-files.ts';
import type { ClusterFiles } from './cluster-files.ts';
import type { PeerInfo, Target } from './mesh.ts';

/** Where other nodes are reached, kept over restarts: a node that rejoins needs nobody to tell it. */
type Peer = Readonly<Record<'id' | 'address', string>>;

/** Peers whose addresses are stored. */
const peersMax = 256;

export class PeerBook {
  readonly #files: ClusterFiles;
  readonly #own: string;
  /** What the file has, once it was read. */
  #known: readonly Peer[] | undefined;
  #stored: string | undefined;
  /** Members that this process has seen. */
  readonly #met = new Set<string>();

  constructor(files: ClusterFiles, own: string) {
    this.#files = files;
    this.#own = own;
  }

  /** Read from the file once. */
  get peers(): readonly Peer[] {
    this.#known ??= readFile(this.#files, 'peers')?.peers ?? [];
    return this.#known;
  }

  /** All members, and those that are connected and no members yet. */
  keep(members: readonly Member[], connected: readonly PeerInfo[]): void {
    const known = new Set(members.map(({ id }) => id));
    const others = connected.filter(({ id }) => !known.has(id));
    this.store([
      ...members,
      ...others.map(({ id, introduction: { address } }) => ({ id, address })),
    ]);
  }

  /**
   * Those that were stored before stay until they are met: a node that reaches nobody at its start must not forget
   * whom it looks for. A full disk is no failure: the next call tries again.
   */
  store(members: readonly Pick<Member, 'id' | 'address'>[]): void {
    for (const { id } of members) this.#met.add(id);
    const peers = [...members, ...this.peers.filter(({ id }) => !this.#met.has(id))]
      .filter(({ id }) => id !== this.#own)
      .slice(0, peersMax)
      .map(({ id, address }) => ({ id, address }));
    const text = JSON.stringify(peers);
    this.#stored ??= JSON.stringify(this.peers);
    this.#known = peers;
    if (text === this.#stored) return;
    try {
      writeFile(this.#files, 'peers', { peers });
      this.#stored = text;
    } catch (error) {
      // The node does not need the file before its next start: it tries again.
      if (!isDiskFull(error)) throw error;
    }
  }

  /**
   * Whom the node is to be connected with. `members`: undefined before it watches.
   */
  targets(
    members: readonly Member[] | undefined,
    seeds: readonly string[],
    isRemoved: (id: string) => boolean,
  ): readonly Target[] {
    const known = new Set((members ?? []).map(({ id }) => id));
    // A node that has left returns on its own.
    const present = (members ?? []).filter(({ status }) => status !== 'left');
    const stored = this.peers.filter(({ id }) => !known.has(id));
    const wanted = [...present, ...stored].filter(({ id }) => !isRemoved(id));
    const addresses = new Set(wanted.map(({ address }) => address));
    const others = seeds.filter((address) => !addresses.has(address));
    return [
      ...wanted.map(({ id, address }) => ({ id, address })),
      ...others.map((address) => ({ id: undefined, address })),
    ];
  }
}
