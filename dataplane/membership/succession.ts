import type { Clock } from '../common/clock.ts';
import type { GossipNode } from '../gossip/gossip.ts';
import { authorityHash, authorityOf } from '../security/certificates.ts';
import type { Authority, AuthorityPhase } from './authority.ts';
import type { KeyDirectory } from './key-directory.ts';
import { stateKeys } from './member-view.ts';
import type { MembershipLog } from './membership-log.ts';
import { isSignedByAuthority } from './orders.ts';
import type { QuarantineKeeper } from './quarantine-keeper.ts';

export interface SuccessionOptions {
  readonly authority: Authority;
  readonly gossip: () => GossipNode | undefined;
  readonly keys: Pick<KeyDirectory, 'certificateOf'>;
  readonly keeper: Pick<QuarantineKeeper, 'orders' | 'adopt'>;
  readonly isRemoved: (id: string) => boolean;
  readonly clock: Pick<Clock, 'now' | 'timeOfDay'>;
  readonly log: MembershipLog;
  /** Something that the others have to know was written into the state of this node. */
  readonly announce: () => void;
}

export interface SuccessionReport {
  readonly phase: AuthorityPhase;
  /** The hash of the authority that signs. */
  readonly signing: string;
  readonly trusted: readonly string[];
  /** Names of the nodes that the next step waits for. */
  readonly waitingFor: readonly string[];
}

/** Between two looks at the nodes. */
const lookMs = 250;

/**
 * Replaces the authority of a cluster outside of Kubernetes, on the node that holds it: every node trusts the next
 * one before it signs, and has a certificate of it before the former one is dropped. Continues after a restart.
 * Guarded invariant: no step is taken while a node with a valid certificate is not ready for it, also one that is
 * down: it could not come back.
 */
export class Succession {
  readonly #options: SuccessionOptions;
  #lookAt = 0;

  constructor(options: SuccessionOptions) {
    this.#options = options;
  }

  /** Begins; one that is under way continues. */
  async begin(): Promise<void> {
    const { authority, log } = this.#options;
    if (authority.phase !== 'Stable') return;
    await authority.prepareNext();
    log.warn('the authority of the cluster is being replaced', {
      trusted: authority.trustedHashes,
    });
    this.#lookAt = 0;
    this.tick();
  }

  get report(): SuccessionReport {
    const { authority } = this.#options;
    return {
      phase: authority.phase,
      signing: authority.hash,
      trusted: authority.trustedHashes,
      waitingFor: this.#waitingFor.map((id) => this.#nameOf(id)),
    };
  }

  /** To be called often. */
  tick(): void {
    const { authority, gossip, clock } = this.#options;
    const node = gossip();
    const now = clock.now();
    if (node === undefined || now < this.#lookAt) return;
    this.#lookAt = now + lookMs;
    const said = authority.trustText;
    if (said === undefined) return;
    if (node.state.get(node.id, stateKeys.trust) !== said) {
      node.state.set(stateKeys.trust, said);
      this.#options.announce();
      return;
    }
    if (authority.phase === 'Stable') return;
    if (authority.phase === 'Renewing') this.#signOrdersAgain();
    if (this.#waitingFor.length === 0) this.#step();
  }

  #step(): void {
    const { authority, log } = this.#options;
    if (authority.phase === 'Distributing') {
      authority.signWithNext();
      log.warn('the next authority of the cluster signs', {
        authority: authority.hash,
      });
    } else {
      authority.dropFormer();
      log.warn('the authority of the cluster is replaced', {
        authority: authority.hash,
      });
    }
    this.#lookAt = 0;
    this.tick();
  }

  /** Nodes that join later do not trust the authority that has signed them. */
  #signOrdersAgain(): void {
    const { authority, keeper } = this.#options;
    const signing = [authority.certificate];
    const former = keeper.orders.all.filter((order) => !isSignedByAuthority(order, signing));
    // The later one of two orders about a node stands.
    const again = former.map(({ type, nodeId, at, reason }) =>
      authority.signOrder({ type, nodeId, at: at + 1, reason }),
    );
    if (again.length > 0) keeper.adopt(again);
  }

  /** Those with a valid certificate, as far as is known, that have not reported what the phase asks for. */
  get #waitingFor(): readonly string[] {
    const { authority, gossip, isRemoved, clock } = this.#options;
    if (authority.phase === 'Stable') return [];
    const known = gossip()?.members.map(({ id }) => id) ?? [];
    const holders = new Set([...authority.holdersAt(clock.timeOfDay()), ...known]);
    return [...holders].filter((id) => !isRemoved(id) && !this.#isReady(id));
  }

  #isReady(id: string): boolean {
    const { authority, gossip, keys } = this.#options;
    const version = Number(gossip()?.state.get(id, stateKeys.trusted) ?? 0);
    if (version < authority.trustVersion) return false;
    if (authority.phase === 'Distributing') return true;
    const certificate = keys.certificateOf(id);
    return (
      certificate !== undefined && authorityOf(certificate, [authority.certificate]) !== undefined
    );
  }

  #nameOf(id: string): string {
    const name = this.#options.gossip()?.state.get(id, stateKeys.name);
    return name === undefined ? id : `${name} (${id})`;
  }
}

/** What a node pins that joins through one with this certificate. */
export const pinnedHashOf = (certificate: string, authorities: readonly string[]): string =>
  authorityHash(authorityOf(certificate, authorities) ?? authorities[0] ?? '');
