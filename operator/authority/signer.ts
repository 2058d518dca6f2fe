/**
 * Decides over one signing request: the token says which pod asks, the pod's PhotonNode says which
 * node it is, and the cluster says which cluster. Nothing in the request itself is believed.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { PhotonNode } from '../api/generated/photon-node.ts';
import type { Clock } from '../controller/clock.ts';
import type { KubeClient } from '../kube/client.ts';
import { isKubeError } from '../kube/errors.ts';
import { resources } from '../kube/object.ts';
import { certificateAudience, certificateLifetimeMs } from '../resources/certificates.ts';
import { wantedNodes } from '../resources/layout.ts';
import { nodeAccountName } from '../resources/names.ts';
import { acceptedLosses, recordedIdOf } from '../rollout/identity.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { NodeIdentity } from './node-identity.ts';
import { formatIdentity } from './node-identity.ts';
import { RateGuard } from './rate-guard.ts';
import { SigningRefusal } from './refusal.ts';
import { readSigningRequest } from './signing-request.ts';
import type { ReviewedPod } from './token-review.ts';
import { reviewToken } from './token-review.ts';

/** A node asks once in days; one that starts again and again, or cannot keep what it gets, asks more. */
const podLimits = Object.freeze({ ratePerSecond: 1 / 15, burst: 10 });

/** What the signer looks up in caches. */
export interface SignerView {
  cluster(at: { readonly namespace: string; readonly name: string }): PhotonCluster | undefined;
  /** The nodes of the cluster. */
  nodes(cluster: PhotonCluster): readonly PhotonNode[];
}

export interface SignerOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly store: AuthorityStore;
  readonly view: SignerView;
}

export interface Issued {
  readonly certificate: string;
  readonly pod: ReviewedPod;
  readonly identity: NodeIdentity;
}

const accountSuffix = '-node';

export class Signer {
  readonly #options: SignerOptions;
  readonly #pods = new RateGuard(podLimits);

  constructor(options: SignerOptions) {
    this.#options = options;
  }

  async sign(token: string, requestText: string, signal?: AbortSignal): Promise<Issued> {
    const { client, clock, store } = this.#options;
    const pod = await reviewToken(client, { token, audience: certificateAudience }, signal);
    if (!this.#pods.admits(pod.uid, clock.now())) {
      const message = `pod ${pod.name} asks for certificates too often: wait a quarter of a minute`;
      throw new SigningRefusal('rate_limited', message);
    }
    const { cluster, roles } = this.#nodeAt(pod);
    const { publicKey, identity } = await readSigningRequest(requestText);
    await this.#checkIdentity(cluster, pod, identity, signal);
    const { signing } = await store.current(cluster, signal);
    if (signing === undefined) {
      const message =
        'the key of the certificate authority is lost, and its successor does not sign yet';
      throw new SigningRefusal('no_authority', message);
    }
    const validity = { now: clock.wallMs(), lifetimeMs: certificateLifetimeMs(cluster) };
    const certificate = await signing.issueForNode(publicKey, { identity, roles }, validity);
    return { certificate, pod, identity };
  }

  /** The account of the pods names their cluster: each cluster has its own. */
  #nodeAt(pod: ReviewedPod): {
    readonly cluster: PhotonCluster;
    readonly roles: readonly string[];
  } {
    const { namespace, account, name: podName } = pod;
    const name = account.endsWith(accountSuffix) ? account.slice(0, -accountSuffix.length) : '';
    const cluster = this.#options.view.cluster({ namespace, name });
    const hasAccount = cluster !== undefined && nodeAccountName(cluster.metadata.name) === account;
    const node = hasAccount
      ? wantedNodes(cluster).find((each) => each.name === podName)
      : undefined;
    // The roles are those of its pool, whatever the pod says.
    if (hasAccount && node !== undefined) return { cluster, roles: node.pool.roles };
    const message = `pod ${podName} with the ServiceAccount ${account} in namespace ${namespace} is not a node of a PhotonCluster`;
    throw new SigningRefusal('forbidden', message);
  }

  async #checkIdentity(
    cluster: PhotonCluster,
    pod: ReviewedPod,
    { clusterId, nodeId }: NodeIdentity,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { clusterId: known } = cluster.status ?? {};
    if (known === undefined) {
      const message = `cluster ${cluster.metadata.name} is not founded yet: its status has no clusterId`;
      throw new SigningRefusal('not_founded', message);
    }
    if (clusterId !== known) {
      const message = `the request is for cluster ${clusterId}, and cluster ${cluster.metadata.name} is ${known}`;
      throw new SigningRefusal('wrong_cluster', message);
    }
    const node = await this.#nodeOf(pod, signal);
    const reported = node?.status?.id;
    if (
      node === undefined ||
      reported === undefined ||
      node.spec.clusterName !== cluster.metadata.name
    ) {
      const message = `PhotonNode ${pod.name} has not reported the identity of its data directory yet`;
      throw new SigningRefusal('node_unknown', message);
    }
    const recorded = recordedIdOf(cluster, pod.name, node);
    const isGivenUp = acceptedLosses(cluster).includes(nodeId);
    if (nodeId !== reported || nodeId !== recorded || isGivenUp) {
      const has = isGivenUp ? 'was given up' : `is not the one of PhotonNode ${pod.name}`;
      throw new SigningRefusal('wrong_node', `the identity ${nodeId} in the request ${has}`);
    }
    this.#checkUnique(cluster, pod.name, { clusterId, nodeId });
  }

  /** A copied data directory must not become a second node of the same identity. */
  #checkUnique(cluster: PhotonCluster, podName: string, identity: NodeIdentity): void {
    const other = this.#options.view
      .nodes(cluster)
      .find(
        ({ metadata, spec, status }) =>
          metadata.name !== podName &&
          (status?.id === identity.nodeId || spec.id === identity.nodeId),
      );
    if (other === undefined) return;
    const message = `${formatIdentity(identity)} is the identity of PhotonNode ${other.metadata.name} as well: one of the two data directories is a copy`;
    throw new SigningRefusal('wrong_node', message);
  }

  async #nodeOf(
    { namespace, name }: ReviewedPod,
    signal: AbortSignal | undefined,
  ): Promise<PhotonNode | undefined> {
    try {
      const at = { namespace, name };
      return await this.#options.client.find<PhotonNode>(resources.photonNodes, at, { signal });
    } catch (error) {
      if (!isKubeError(error)) throw error;
      const message = `PhotonNode ${name} cannot be read: ${error.message}`;
      throw new SigningRefusal('unavailable', message, { cause: error });
    }
  }
}
