import { spawn } from '../common/spawn.ts';
import type { GossipNode } from '../gossip/gossip.ts';
import type { Clock } from '../common/clock.ts';
import { authorityHash, authorityOf } from '../security/certificates.ts';
import type { StoredCredentials } from './cluster-files.ts';
import { MessageRefusedError } from './errors.ts';
import { stateKeys } from './member-view.ts';
import type { MembershipLog } from './membership-log.ts';
import type { Renewal } from './renewal.ts';
import { isTrustSigned, readTrust } from './trust.ts';

export interface TrustFollowerOptions {
  readonly credentials: () => StoredCredentials;
  readonly renewal: Pick<Renewal, 'trust' | 'renew'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: MembershipLog;
}

/** Between two attempts to get a certificate of the authority that signs now. */
const retryMs = 1_000;

/**
 * Follows the replacement of the authority outside of Kubernetes: takes over what the cluster trusts, and asks for a
 * certificate of the authority that signs now. Guarded invariants: nothing is trusted that an authority which is
 * trusted already has not signed; what was trusted earlier does not come back.
 */
export class TrustFollower {
  readonly #options: TrustFollowerOptions;
  /** What each member said last. */
  readonly #seen = new Map<string, string>();
  /** The certificate whose authority was looked for last, and whether it is the one that signs. */
  #judged: { readonly of: StoredCredentials; readonly isOfSigning: boolean } | undefined;
  #isRenewing = false;
  #renewalAt = 0;
  #failure: string | undefined;

  constructor(options: TrustFollowerOptions) {
    this.#options = options;
  }

  /** To be called often. */
  tick(gossip: GossipNode | undefined): void {
    if (gossip === undefined) return;
    const { members, state } = gossip;
    for (const { id } of members) {
      const said = state.get(id, stateKeys.trust);
      if (said === undefined || this.#seen.get(id) === said) continue;
      this.#seen.set(id, said);
      this.#take(id, said);
    }
    if (this.#seen.size > members.length) this.#forgetOthers(new Set(members.map(({ id }) => id)));
    const { trustVersion } = this.#options.credentials();
    // As long as the first authority signs there is nothing to say.
    if (trustVersion === undefined) return;
    state.set(stateKeys.trusted, String(trustVersion));
    if (!this.#isOfSigning) this.#renew();
  }

  #forgetOthers(members: ReadonlySet<string>): void {
    for (const id of this.#seen.keys()) if (!members.has(id)) this.#seen.delete(id);
  }

  #take(id: string, said: string): void {
    const { credentials, renewal, log } = this.#options;
    try {
      const trust = readTrust(said);
      const { clusterId, authorities, trustVersion = 0 } = credentials();
      if (trust.version <= trustVersion) return;
      if (trust.clusterId !== clusterId || !isTrustSigned(trust, authorities)) {
        throw new MessageRefusedError('No authority that this node trusts has signed it.');
      }
      renewal.trust(trust.authorities, trust.version);
      log.info('the trusted certificate authorities have changed', {
        version: trust.version,
        authorities: trust.authorities.map(authorityHash),
      });
    } catch (error) {
      const { message: reason } = error as Error;
      log.warn('the certificate authorities that a node names are refused', {
        id,
        reason,
      });
    }
  }

  get #isOfSigning(): boolean {
    const of = this.#options.credentials();
    if (this.#judged?.of !== of) {
      const isOfSigning = authorityOf(of.certificate, of.authorities.slice(0, 1)) !== undefined;
      this.#judged = { of, isOfSigning };
    }
    return this.#judged.isOfSigning;
  }

  #renew(): void {
    const { clock, renewal, log } = this.#options;
    if (this.#isRenewing || clock.now() < this.#renewalAt) return;
    this.#isRenewing = true;
    spawn(
      async () => {
        await renewal.renew();
        this.#isRenewing = false;
        this.#failure = undefined;
      },
      (error) => {
        this.#isRenewing = false;
        this.#renewalAt = clock.now() + retryMs;
        const { message: reason } = error as Error;
        if (reason !== this.#failure) {
          log.warn('the new certificate authority has not certified this node yet', { reason });
        }
        this.#failure = reason;
      },
    );
  }
}
