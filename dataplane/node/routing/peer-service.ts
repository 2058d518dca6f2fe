import type { Verifier } from '../../metadata/state.ts';
import { stateKeys } from '../../membership/member-view.ts';
import { placementOf } from '../../metadata/shards.ts';
import type { OwnShards } from '../../router/peers.ts';
import type { Catalog, NodeEnvironment } from '../../query/environment.ts';
import type { NodeContext } from '../context.ts';
import type { DataService } from '../data-service.ts';
import type { DiskGate } from '../disk-gate.ts';
import { catalogOf, roomOn } from '../environment.ts';
import type { MembershipService } from '../membership-service.ts';
import type { Service } from '../services.ts';
import { withoutData } from '../without-data.ts';
import { catalogChanges } from '../workers/remote-catalog.ts';
import type { CatalogChangeName } from '../workers/remote-catalog.ts';
import { changeCodec } from './catalog-messages.ts';
import { CatalogFollower } from './catalog-follower.ts';
import { CatalogService } from './catalog-service.ts';
import { ClusterShards } from './cluster-shards.ts';
import { followedCatalog } from './followed-catalog.ts';
import { askPeer, meshPeers } from './mesh-peers.ts';
import { handOver } from './hand-over.ts';
import { firstMetadata, forwardedCatalog, handOverOf, tendReplicas } from './replicated-home.ts';
import { needCodec } from './member-need.ts';
import { RoutedTables } from './routed-tables.ts';
import { ShardService } from './shard-service.ts';

export interface PeerServiceParts {
  readonly data: DataService;
  readonly disk: Pick<DiskGate, 'refusal'>;
  readonly membership: MembershipService;
  /** Resolves when all query workers of this node know the catalogue of now. */
  readonly published: () => Promise<void>;
}

/** A change of the catalogue waits for each other node for this time at most. */
const settleMs = 1_000;
/** A node without data begins without the catalogue after this time: nobody who has it answers. */
const firstCatalogMs = 5_000;

/**
 * What queries need of other nodes, and other nodes of this one: shards and the catalogue. A node with data serves
 * them; a node without data follows a node that has it, and sends reads and writes there.
 */
export class PeerService implements Service {
  readonly name = 'routing';
  readonly #context: NodeContext;
  readonly #parts: PeerServiceParts;
  readonly #follower: CatalogFollower;
  readonly #tables: RoutedTables;
  /** Of a node whose data is replicated. */
  readonly #replicated: RoutedTables;
  readonly #hasData: boolean;
  /** How the replicas of all shards are. */
  readonly shards: ClusterShards;
  #shards: ShardService | undefined;
  #catalogService: CatalogService | undefined;

  constructor(context: NodeContext, parts: PeerServiceParts) {
    const { clock, chance, signal, logger, config } = context;
    const mesh = () => parts.membership.membership?.mesh;
    this.#context = context;
    this.#parts = parts;
    this.#hasData = config.roles.includes('data');
    this.#follower = new CatalogFollower({
      clock,
      chance,
      sources: () => this.#likely(undefined),
      ask: (node, name, payload, asked) => askPeer(mesh(), { node, name }, payload, asked),
      warn: (message, fields) => logger.warn(message, fields),
    });
    this.shards = new ClusterShards({
      clock,
      signal,
      follower: this.#follower,
      database: () => (this.#hasData ? parts.data.opened : undefined),
      members: () => parts.membership.members,
      ask: (node) => askPeer(mesh(), { node, name: 'readReplicas' }, new Uint8Array(), signal),
    });
    const { replica } = this.#follower;
    const common = {
      clock,
      chance,
      signal,
      likely: (nodes?: readonly string[]) => this.#likely(nodes),
    };
    this.#tables = new RoutedTables({
      ...common,
      peers: meshPeers(mesh, () => undefined),
      own: undefined,
      table: (id) => replica.tableById(id),
      changed: (asked) => this.#follower.changed(asked),
    });
    const { data } = parts;
    const own: OwnShards = {
      get node() {
        return data.id ?? '';
      },
      shard: (to) => this.#shards?.shard(to),
    };
    this.#replicated = new RoutedTables({
      ...common,
      peers: meshPeers(mesh, () => this.#shards),
      own,
      table: (id) => this.#placed(id),
      changed: (asked) => data.opened.changed(asked),
      leader: (group) => data.database?.replica(group)?.replicas.leader.node,
    });
  }

  #placed(id: string) {
    const { state } = this.#parts.data.opened;
    const record = Object.hasOwn(state.tables, id) ? state.tables[id] : undefined;
    if (record === undefined) return undefined;
    const { name, databaseId } = record;
    const database = { name: state.databases[databaseId]?.name ?? '' };
    return { name, database, placement: placementOf(record) };
  }

  /** Those of the cluster, as soon as a node without data knows them. */
  get users(): Readonly<Record<string, Verifier>> {
    const isOwn = this.#hasData || !this.#follower.isKnown;
    return isOwn ? this.#parts.data.opened.state.users : this.#follower.users;
  }

  verifier(user: string): Verifier | undefined {
    const { users } = this;
    return Object.hasOwn(users, user) ? users[user] : undefined;
  }

  /** For queries, in place of that of the own data. What changes the catalogue ends when all nodes see the change. */
  environment(own: NodeEnvironment): NodeEnvironment {
    const { replication } = this.#parts.data;
    if (replication !== undefined) {
      const { signal } = this.#context;
      const home = { database: this.#parts.data.opened, signal };
      const forwarded = forwardedCatalog(own.catalog, this.#follower, home);
      return {
        ...own,
        catalog: this.#settling(forwarded),
        table: (id, mode) => this.#replicated.access(id, mode),
      };
    }
    if (this.#hasData) return { ...own, catalog: this.#settling(own.catalog) };
    const { membership } = this.#parts;
    const without = withoutData(own, () => membership.members);
    const catalog = followedCatalog(this.#follower, this.#context.signal);
    const follower = this.#follower;
    return {
      ...own,
      catalog: whenKnown(() => follower.isKnown, catalog, without.catalog),
      table: (id, mode) =>
        follower.isKnown ? this.#tables.access(id, mode) : without.table(id, mode),
    };
  }

  async start(): Promise<void> {
    if (this.#hasData) {
      this.#serve();
      return this.#tend();
    }
    const { signal, clock } = this.#context;
    void this.#follower.run(signal);
    const over = new AbortController();
    const timer = clock.timer(firstCatalogMs, () => over.abort());
    const either = AbortSignal.any([signal, over.signal]);
    while (!this.#follower.isKnown && !either.aborted)
      await this.#follower.changed(either).catch(() => undefined);
    timer.cancel();
  }

  async #tend(): Promise<void> {
    const parts = this.#replicatedParts();
    if (parts === undefined) return;
    parts.membership.membership?.describe(stateKeys.draining, 'false');
    void tendReplicas(parts);
    await firstMetadata(parts);
  }

  #replicatedParts() {
    const { data, membership } = this.#parts;
    const { replication, database } = data;
    if (replication === undefined || database === undefined) return undefined;
    const refusal = (): string | undefined => this.#parts.disk.refusal('write');
    return { context: this.#context, database, replication, membership, refusal };
  }

  /** Groups that this node leads. */
  get led(): number {
    const groups = this.#replicatedParts()?.database.replicatedGroups ?? [];
    return groups.filter(({ refusal }) => refusal === undefined).length;
  }

  /** Gives leadership to other nodes, as far as there are some. */
  async handOver(signal: AbortSignal): Promise<void> {
    const parts = this.#replicatedParts();
    if (parts !== undefined) await handOver(handOverOf(parts), this.#context.clock, signal);
  }

  /** Queries of this node have ended; those of others are refused, and go on elsewhere. */
  async drain(): Promise<void> {
    const parts = this.#replicatedParts();
    if (parts !== undefined) {
      // Others give no leadership back meanwhile.
      parts.membership.membership?.describe(stateKeys.draining, 'true');
      await this.handOver(new AbortController().signal);
    }
    this.#parts.membership.services.stop();
  }

  #serve(): void {
    const { data, disk, membership } = this.#parts;
    const database = data.opened;
    const refusal = (): string | undefined => membership.refusal;
    const shards = new ShardService(data.id ?? '', {
      database,
      requireRoom: roomOn(disk),
      refusal,
    });
    this.#shards = shards;
    const cluster = data.replication === undefined ? undefined : membership;
    const { clock, chance } = this.#context;
    const catalog = new CatalogService({
      database,
      catalog: this.#settling(catalogOf({ database, chance, cluster }, roomOn(disk))),
      settle: (index) => (typeof index === 'number' ? this.#settleAt(index) : this.#settle()),
      refusal,
      clock,
      chance,
    });
    this.#catalogService = catalog;
    membership.services.serve({
      readTable: shards.read,
      editTable: shards.edit,
      watchCatalog: catalog.watch,
      changeCatalog: catalog.change,
      readReplicas: () => this.shards.ledHere(),
      readNeed: async (_payload, { id }) => needCodec.encode(await this.shards.needOf(id)),
    });
  }

  #settling(catalog: Catalog): Catalog {
    const settling = (name: CatalogChangeName): unknown => {
      const change = catalog[name] as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        const result = await change(...args);
        await this.#settle();
        return result;
      };
    };
    const changes = catalogChanges.map((name) => [name, settling(name)]);
    const ready: Catalog['ready'] = async (...args) => {
      await catalog.ready(...args);
      await this.#settle();
    };
    return { ...catalog, ...Object.fromEntries(changes), ready } as Catalog;
  }

  async #settle(): Promise<void> {
    const { data, membership } = this.#parts;
    const index = data.opened.metadataIndex;
    const others =
      data.replication === undefined
        ? []
        : membership.members.filter((member) => !member.isSelf && member.isConnected);
    await Promise.all([
      this.#settleAt(index),
      ...others
        .filter(({ roles }) => roles.includes('data'))
        .map((member) => this.#settleOther(member.id, index)),
    ]);
  }

  /** This node, its query workers, and the nodes that follow it. */
  async #settleAt(index: number): Promise<void> {
    const { data, published } = this.#parts;
    if (data.replication !== undefined) await data.opened.metadataAt(index, this.#context.signal);
    await Promise.all([published(), this.#catalogService?.settled()]);
  }

  /** A node that does not answer is not waited for. */
  async #settleOther(node: string, index: number): Promise<void> {
    const { clock, signal } = this.#context;
    const over = new AbortController();
    const timer = clock.timer(settleMs, () => over.abort(new Error('the node does not answer')));
    const payload = changeCodec.encode({ name: 'settle', args: [index] });
    const mesh = this.#parts.membership.membership?.mesh;
    const either = AbortSignal.any([signal, over.signal]);
    await askPeer(mesh, { node, name: 'changeCatalog' }, payload, either).catch(() => undefined);
    timer.cancel();
  }

  /** Those that are connected first; without any, nodes with data. */
  #likely(nodes: readonly string[] | undefined): readonly string[] {
    const members = this.#parts.membership.members.filter(({ id, isSelf, roles }) =>
      nodes === undefined ? !isSelf && roles.includes('data') : nodes.includes(id),
    );
    const rank = ({ isConnected, status }: (typeof members)[number]): number =>
      (isConnected ? 0 : 2) + (status === 'alive' ? 0 : 1);
    return members.toSorted((one, other) => rank(one) - rank(other)).map(({ id }) => id);
  }
}

/** One catalogue or the other, at each call. */
function whenKnown(isKnown: () => boolean, known: Catalog, unknown: Catalog): Catalog {
  const either = (name: keyof Catalog) => {
    const [one, other] = [known[name], unknown[name]] as ((...args: unknown[]) => unknown)[];
    return (...args: unknown[]) => (isKnown() ? one : other)?.(...args);
  };
  const names = Object.keys(known) as (keyof Catalog)[];
  return Object.fromEntries(names.map((name) => [name, either(name)])) as unknown as Catalog;
}
