/**
 * The authorities of clusters, read from their Secrets when they are needed: the operator may
 * read single Secrets by name, and watch none.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { Clock } from '../controller/clock.ts';
import type { KubeClient } from '../kube/client.ts';
import { isKubeError } from '../kube/errors.ts';
import type { KubeObject } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import { authoritySecretName } from '../resources/names.ts';
import { Authority } from './authority.ts';
import type { StoredSecret } from './authority-set.ts';
import { readAuthoritySet, trustedCertificates } from './authority-set.ts';
import { SigningRefusal } from './refusal.ts';

/** For what the endpoint shows; what is signed rests on the Secret as it is. */
const freshMs = 5_000;

/** Clusters whose authorities are kept in memory. */
const keptMax = 1_000;

export interface OpenAuthorities {
  /** Absent while the key of the authority that signs is lost. */
  readonly signing?: Authority;
  /** Shows the signing endpoint's own certificate: nodes trust it as soon as the one that signs. */
  readonly serving: Authority;
  /** Certificates of all that are trusted, PEM. */
  readonly bundle: string;
}

interface Kept {
  readonly atMs: number;
  readonly version: string;
  readonly authorities: OpenAuthorities;
}

function isOwned(object: KubeObject, cluster: PhotonCluster): boolean {
  const { uid } = cluster.metadata;
  return object.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
}

async function open(secret: KubeObject & StoredSecret): Promise<OpenAuthorities> {
  const stored = readAuthoritySet(secret);
  if (stored.type === 'fault') {
    const message = `Secret ${secret.metadata.name} with the certificate authority is damaged: ${stored.fault}`;
    throw new SigningRefusal('no_authority', message);
  }
  const { set } = stored;
  const { certificate, privateKey } = set.signing;
  const signing =
    privateKey === undefined ? undefined : await Authority.open({ certificate, privateKey });
  const serving = signing ?? (set.next === undefined ? undefined : await Authority.open(set.next));
  if (serving === undefined) throw new SigningRefusal('no_authority', 'there is no private key');
  const bundle = trustedCertificates(set).join('');
  return { ...(signing === undefined ? {} : { signing }), serving, bundle };
}

export class AuthorityStore {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  /** By the UID of the cluster. */
  readonly #kept = new Map<string, Kept>();

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** As they were some seconds ago, or later. */
  async recent(cluster: PhotonCluster): Promise<OpenAuthorities> {
    const kept = this.#kept.get(cluster.metadata.uid ?? '');
    const isFresh = kept !== undefined && this.#clock.now() - kept.atMs < freshMs;
    return isFresh ? kept.authorities : this.current(cluster);
  }

  /** Uncached: a certificate of an authority that was just replaced would be refused. */
  async current(cluster: PhotonCluster, signal?: AbortSignal): Promise<OpenAuthorities> {
    const { uid = '', namespace = '', name } = cluster.metadata;
    const kept = this.#kept.get(uid);
    const now = this.#clock.now();
    const secret = await this.#read({ namespace, name: authoritySecretName(name) }, signal);
    if (secret === undefined || !isOwned(secret, cluster)) {
      this.#kept.delete(uid);
      const message = `Secret ${authoritySecretName(name)} with the certificate authority is not there`;
      throw new SigningRefusal('no_authority', message);
    }
    const version = secret.metadata.resourceVersion ?? '';
    const authorities = kept?.version === version ? kept.authorities : await open(secret);
    this.#kept.delete(uid);
    this.#kept.set(uid, { atMs: now, version, authorities });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptMax && oldest !== undefined) this.#kept.delete(oldest);
    return authorities;
  }

  async #read(
    at: { readonly namespace: string; readonly name: string },
    signal: AbortSignal | undefined,
  ): Promise<(KubeObject & StoredSecret) | undefined> {
    try {
      return await this.#client.find<KubeObject & StoredSecret>(resources.secrets, at, { signal });
    } catch (error) {
      if (!isKubeError(error)) throw error;
      const message = `the Secret with the certificate authority cannot be read: ${error.message}`;
      throw new SigningRefusal('unavailable', message, { cause: error });
    }
  }
}
