import type { HostPort } from '../common/address.ts';
import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import type { MembershipEvent } from '../gossip/gossip.ts';
import type { Admission } from './authority.ts';
import type { ClusterFiles, StoredCredentials } from './cluster-files.ts';
import type { FormedCluster } from './form-cluster.ts';
import type { MembershipLog } from './membership-log.ts';
import type { PeerRequestName, Role } from './peer-requests.ts';
import type { ServedPeers } from './served-peers.ts';

export interface MembershipOptions {
  readonly formed: FormedCluster;
  /** Signs requests of this node in place of the cluster's own authority. */
  readonly certify?: ((request: string) => Promise<Admission>) | undefined;
  readonly files: ClusterFiles;
  readonly name: string;
  readonly roles: readonly Role[];
  readonly version: string;
  readonly listen: HostPort;
  /** The host that other nodes reach this one by. */
  readonly advertise: string;
  /** Addresses of nodes, from the configuration. */
  readonly seeds: readonly string[];
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: MembershipLog;
  readonly measured: (name: PeerRequestName, peerId: string, ms: number, outcome: string) => void;
  /** Several nodes may have data. */
  readonly isReplicated?: boolean;
  /** What other nodes ask of the data of this one, and say to it. */
  readonly served: ServedPeers;
  /** The node has a new certificate. */
  readonly renewed: (credentials: StoredCredentials) => void;
  /** The status of a member has changed. */
  readonly changed: (event: MembershipEvent & { readonly reason: string }) => void;
  /** The session with a node has ended: its process may have, too. */
  readonly disconnected?: (id: string) => void;
  /** Who is quarantined has changed. */
  readonly quarantineChanged: () => void;
  /** The node cannot go on. */
  readonly failed: (error: Error) => void;
}
