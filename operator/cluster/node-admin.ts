/**
 * The nodes as the operator administers them: by their admin API, with a certificate that their own authority has
 * issued for the operator.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { NodeView } from '../api/node-view.ts';
import type { AuthorityStore } from '../authority/authority-store.ts';
import type { Authority } from '../authority/authority.ts';
import { formatIdentity } from '../authority/node-identity.ts';
import { certificatesIn } from '../authority/authority-set.ts';
import type { Order } from '../authority/order.ts';
import { toSignAgain } from '../authority/order.ts';
import { SigningRefusal } from '../authority/refusal.ts';
import type { Clock } from '../controller/clock.ts';
import type { AdminCredentials, AdminRequest } from '../photon/admin-client.ts';
import { AdminApiError, askNode } from '../photon/admin-client.ts';
import { nodePorts } from '../resources/node-config.ts';
import type { Known } from '../authority/node-orders.ts';
import { knownFrom, signedOrdersFrom } from '../authority/node-orders.ts';
import type { Need } from '../rollout/replacement.ts';
import { needsFrom } from '../rollout/replacement.ts';
import type { Pod } from '../status/observed.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

export type AdminAddressOf = (pod: Pod) => Address | undefined;

export const podAddress: AdminAddressOf = ({ status }) =>
  status?.podIP === undefined ? undefined : { host: status.podIP, port: nodePorts.admin };

export interface NodeAdminOptions {
  readonly store: AuthorityStore;
  readonly clock: Clock;
  readonly addressOf: AdminAddressOf;
}

/** A node, and the pod that it runs in now. */
export interface AdministeredNode {
  readonly view: NodeView;
  readonly pod: Pod;
}

const adminName = 'operator';
const lifetimeMs = 3_600_000;

/** Clusters whose credentials are kept. */
const keptMax = 1_000;

interface Kept {
  readonly atMs: number;
  readonly authority: string;
  readonly clusterId: string;
  readonly credentials: AdminCredentials;
}

export class NodeAdmin {
  readonly #options: NodeAdminOptions;
  /** By the UID of the cluster. */
  readonly #kept = new Map<string, Kept>();

  constructor(options: NodeAdminOptions) {
    this.#options = options;
  }

  /** Whether the node may be asked: it has an identity and an address. */
  reaches({ view, pod }: AdministeredNode): boolean {
    const { id, clusterId } = view.report ?? {};
    return (
      id !== undefined && clusterId !== undefined && this.#options.addressOf(pod) !== undefined
    );
  }

  /** Rejects with AdminApiError, which says why. */
  async setDraining(
    cluster: PhotonCluster,
    node: AdministeredNode,
    isDraining: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const asked = { method: 'PUT', path: '/drain', body: { isDraining } } as const;
    await this.#ask(cluster, node, asked, signal);
  }

  /** What the node knows of orders and of members. Rejects with AdminApiError. */
  async known(cluster: PhotonCluster, node: AdministeredNode, signal: AbortSignal): Promise<Known> {
    const orders = await this.#ask(cluster, node, { method: 'GET', path: '/orders' }, signal);
    const members = await this.#ask(cluster, node, { method: 'GET', path: '/members' }, signal);
    return knownFrom(orders, members);
  }

  /** What the leader of the metadata says of the members with data. Rejects with AdminApiError. */
  async needs(
    cluster: PhotonCluster,
    node: AdministeredNode,
    signal: AbortSignal,
  ): Promise<readonly Need[]> {
    const answer = await this.#ask(cluster, node, { method: 'GET', path: '/needs' }, signal);
    const needs = needsFrom(answer);
    if (needs !== undefined) return needs;
    throw new AdminApiError(`node ${node.view.name} answers in another format`);
  }

  /** Signs an order, and gives it to the node, which passes it on. Rejects with AdminApiError. */
  async giveOrder(
    cluster: PhotonCluster,
    node: AdministeredNode,
    order: Omit<Order, 'clusterId'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clusterId } = node.view.report ?? {};
    if (clusterId === undefined) {
      throw new AdminApiError(`node ${node.view.name} belongs to no cluster yet`);
    }
    const { signing } = await this.#authorities(cluster, signal);
    const body = signing.signOrder({ ...order, clusterId });
    await this.#ask(cluster, node, { method: 'POST', path: '/orders', body }, signal);
  }

  /** Orders of an authority that was replaced get the signature of the present one. Rejects with AdminApiError. */
  async signOrdersAgain(
    cluster: PhotonCluster,
    node: AdministeredNode,
    signal: AbortSignal,
  ): Promise<number> {
    const answer = await this.#ask(cluster, node, { method: 'GET', path: '/orders' }, signal);
    const { signing, bundle } = await this.#authorities(cluster, signal);
    const signers = { signing: signing.certificate, trusted: certificatesIn(bundle) };
    const again = toSignAgain(signedOrdersFrom(answer), signers);
    for (const order of again) await this.giveOrder(cluster, node, order, signal);
    return again.length;
  }

  async #ask(
    cluster: PhotonCluster,
    { view, pod }: AdministeredNode,
    asked: AdminRequest,
    signal: AbortSignal,
  ): Promise<unknown> {
    const { id: nodeId, clusterId } = view.report ?? {};
    const address = this.#options.addressOf(pod);
    if (nodeId === undefined || clusterId === undefined || address === undefined) {
      throw new AdminApiError(`node ${view.name} has no identity or no address yet`);
    }
    const credentials = await this.#credentialsOf(cluster, clusterId, signal);
    const identity = formatIdentity({ clusterId, nodeId });
    return askNode({ ...address, identity }, credentials, asked, signal);
  }

  async #authorities(
    cluster: PhotonCluster,
    signal: AbortSignal,
  ): Promise<{ readonly signing: Authority; readonly bundle: string }> {
    const { store } = this.#options;
    const { signing, bundle } = await store.current(cluster, signal).catch((error: unknown) => {
      throw error instanceof SigningRefusal ? new AdminApiError(error.message) : error;
    });
    if (signing === undefined) {
      throw new AdminApiError('the key of the certificate authority is lost');
    }
    return { signing, bundle };
  }

  async #credentialsOf(
    cluster: PhotonCluster,
    clusterId: string,
    signal: AbortSignal,
  ): Promise<AdminCredentials> {
    const { uid = '' } = cluster.metadata;
    const { clock } = this.#options;
    const { signing, bundle } = await this.#authorities(cluster, signal);
    const kept = this.#kept.get(uid);
    const isFresh = kept !== undefined && clock.now() - kept.atMs < lifetimeMs / 2;
    if (isFresh && kept.authority === signing.hash && kept.clusterId === clusterId) {
      return { ...kept.credentials, authorities: bundle };
    }
    const validity = { now: clock.wallMs(), lifetimeMs };
    const pair = await signing.issueForAdmin({ clusterId, name: adminName }, validity);
    const credentials = { ...pair, authorities: bundle };
    this.#kept.delete(uid);
    this.#kept.set(uid, { atMs: clock.now(), authority: signing.hash, clusterId, credentials });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptMax && oldest !== undefined) this.#kept.delete(oldest);
    return credentials;
  }
}
