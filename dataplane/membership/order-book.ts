import type { Clock } from '../common/clock.ts';
import { clockSkewMs } from '../security/certificates.ts';
import { readFile, writeFile } from './cluster-files.ts';
import type { ClusterFiles } from './cluster-files.ts';
import { OrderRefusedError } from './errors.ts';
import { digestOfOrders, isSignedByAuthority, ordersMax, standingOf } from './orders.ts';
import type { SignedOrder } from './orders.ts';

export interface OrderBookOptions {
  readonly clusterId: string;
  readonly files: ClusterFiles;
  /** PEM; those that are trusted now. */
  readonly authorities: () => readonly string[];
  readonly clock: Pick<Clock, 'timeOfDay'>;
}

/**
 * The orders of administrators that this node knows, one for each node that there is one about. Guarded invariants:
 * what is kept was signed by an authority of the cluster, and is on the medium before it has an effect; a removal
 * is never taken back.
 */
export class OrderBook {
  readonly #options: OrderBookOptions;
  #orders: ReadonlyMap<string, SignedOrder>;
  #digest = '';

  constructor(options: OrderBookOptions) {
    this.#options = options;
    // Their authority may have been replaced since they were verified.
    const stored = readFile(options.files, 'orders')?.orders ?? [];
    const own = stored.filter(({ clusterId }) => clusterId === options.clusterId);
    this.#orders = new Map(own.map((order) => [order.nodeId, order]));
    this.#digest = digestOfOrders(own);
  }

  get all(): readonly SignedOrder[] {
    return [...this.#orders.values()];
  }

  get digest(): string {
    return this.#digest;
  }

  /** The removal of a node; undefined for a node that may be a member. */
  removalOf(nodeId: string): SignedOrder | undefined {
    const order = this.#orders.get(nodeId);
    return order?.type === 'remove' ? order : undefined;
  }

  /** Why a node is no member any more; undefined for a node that may be one. */
  removalSentenceOf(nodeId: string): string | undefined {
    const order = this.removalOf(nodeId);
    if (order === undefined) return undefined;
    const on = new Date(order.at).toISOString();
    return `An administrator removed node ${nodeId} from the cluster at ${on}: ${order.reason}. It never comes back; join with an empty data directory.`;
  }

  quarantineOf(nodeId: string): SignedOrder | undefined {
    const order = this.#orders.get(nodeId);
    return order?.type === 'quarantine' ? order : undefined;
  }

  /** Adopts new orders and returns them. Throws an OrderRefusedError for an order that is not of this cluster. */
  adopt(orders: readonly SignedOrder[]): readonly SignedOrder[] {
    const next = new Map(this.#orders);
    const changed: SignedOrder[] = [];
    for (const order of orders) {
      const known = next.get(order.nodeId);
      if (known !== undefined && standingOf(known, order) === known) continue;
      this.#verify(order);
      if (known === undefined && next.size >= ordersMax) {
        throw new OrderRefusedError(
          `There are orders about ${ordersMax} nodes already, which is the limit.`,
        );
      }
      next.set(order.nodeId, order);
      changed.push(order);
    }
    if (changed.length === 0) return changed;
    const all = [...next.values()];
    writeFile(this.#options.files, 'orders', { orders: all });
    this.#orders = next;
    this.#digest = digestOfOrders(all);
    return changed;
  }

  #verify(order: SignedOrder): void {
    const { clusterId, authorities, clock } = this.#options;
    if (order.clusterId !== clusterId) {
      throw new OrderRefusedError(
        `The order is for cluster ${order.clusterId}, and this node belongs to ${clusterId}.`,
      );
    }
    if (!isSignedByAuthority(order, authorities())) {
      throw new OrderRefusedError(
        `The order about node ${order.nodeId} is not signed by an authority of this cluster.`,
      );
    }
    const ahead = order.at - clock.timeOfDay();
    if (ahead > clockSkewMs) {
      throw new OrderRefusedError(
        `The order about node ${order.nodeId} is ${Math.round(ahead / 1_000)} s in the future. Set the clocks right.`,
      );
    }
  }
}
