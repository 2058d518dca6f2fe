import type { Authority } from './authority.ts';
import type { GossipNode } from '../gossip/gossip.ts';
import { pinnedHashOf, Succession } from './succession.ts';
import type { SuccessionOptions } from './succession.ts';
import { TrustFollower } from './trust-follower.ts';
import type { TrustFollowerOptions } from './trust-follower.ts';

export interface ClusterTrustOptions
  extends Omit<SuccessionOptions, 'authority' | 'clock'>, TrustFollowerOptions {
  readonly authority: Authority | undefined;
  readonly clock: SuccessionOptions['clock'];
}

/** Which authorities this node trusts, and their replacement on the node that holds the one that signs. */
export class ClusterTrust {
  readonly #options: ClusterTrustOptions;
  readonly #follower: TrustFollower;
  /** On the node that holds the authority of the cluster. */
  readonly succession: Succession | undefined;

  constructor(options: ClusterTrustOptions) {
    const { authority } = options;
    this.#options = options;
    this.#follower = new TrustFollower(options);
    this.succession =
      authority === undefined ? undefined : new Succession({ ...options, authority });
  }

  /** What a node pins that joins through this one. */
  get pinnedHash(): string {
    const { certificate, authorities } = this.#options.credentials();
    return pinnedHashOf(certificate, authorities);
  }

  /** To be called often. */
  tick(gossip: GossipNode | undefined): void {
    this.#follower.tick(gossip);
    this.succession?.tick();
  }
}
