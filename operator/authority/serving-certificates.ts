/**
 * The certificates that the signing endpoint shows: for each cluster one of its own authority, chosen
 * by the server name that the node asks for. So a node trusts the endpoint by what it trusts already.
 */
import type { SecureContext } from 'node:tls';
import { createSecureContext } from 'node:tls';
import type { Clock } from '../controller/clock.ts';
import { clusterOfServerName } from '../resources/certificates.ts';
import type { AuthorityStore } from './authority-store.ts';
import { SigningRefusal } from './refusal.ts';
import type { SignerView } from './signer.ts';

const lifetimeMs = 24 * 3_600_000;

/** Made again at half of its lifetime. */
const freshMs = lifetimeMs / 2;

/** Clusters whose context is kept. */
const keptMax = 1_000;

interface Kept {
  readonly atMs: number;
  readonly authority: string;
  readonly context: SecureContext;
}

export class ServingCertificates {
  readonly #view: SignerView;
  readonly #store: AuthorityStore;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(view: SignerView, store: AuthorityStore, clock: Clock) {
    this.#view = view;
    this.#store = store;
    this.#clock = clock;
  }

  /** Throws a refusal for a name that is of no cluster. */
  async contextOf(serverName: string): Promise<SecureContext> {
    const at = clusterOfServerName(serverName);
    const cluster = at === undefined ? undefined : this.#view.cluster(at);
    if (cluster === undefined) {
      throw new SigningRefusal('forbidden', 'the server name is of no PhotonCluster');
    }
    const { serving } = await this.#store.recent(cluster);
    const now = this.#clock.now();
    const kept = this.#kept.get(serverName);
    const isFresh = kept !== undefined && now - kept.atMs < freshMs;
    if (isFresh && kept.authority === serving.hash) return kept.context;
    const { certificate, privateKey } = await serving.issueForServer(serverName, {
      now: this.#clock.wallMs(),
      lifetimeMs,
    });
    const context = createSecureContext({
      cert: certificate,
      key: privateKey,
      minVersion: 'TLSv1.3',
    });
    this.#kept.delete(serverName);
    this.#kept.set(serverName, { atMs: now, authority: serving.hash, context });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptMax && oldest !== undefined) this.#kept.delete(oldest);
    return context;
  }
}
