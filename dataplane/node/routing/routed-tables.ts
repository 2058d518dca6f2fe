import type { Chance } from '../../common/chance.ts';
import type { Clock } from '../../common/clock.ts';
import type { Placement } from '../../metadata/state.ts';
import { evenSlots, SlotMap } from '../../partition/hash-slots.ts';
import type { TableInfo } from '../../query/environment.ts';
import { Leaders } from '../../router/leaders.ts';
import type { OwnShards, ShardPeers } from '../../router/peers.ts';
import { RoutedTable } from '../../router/routed-table.ts';
import type { TableRoute } from '../../router/routed-table.ts';
import type { ReadMode, TableAccess } from '../../wire/table-access.ts';
import { inWordsOfQueries } from './routed-words.ts';

/** A table with the places of its shards, where it has any. */
interface PlacedTable extends Pick<TableInfo, 'name'> {
  readonly database: Pick<TableInfo['database'], 'name'>;
  readonly placement?: Placement;
}

export interface RoutedTablesOptions {
  readonly clock: Clock;
  readonly chance: Pick<Chance, 'next'>;
  readonly peers: ShardPeers;
  readonly own: OwnShards | undefined;
  table(id: string): PlacedTable | undefined;
  changed(signal: AbortSignal): Promise<void>;
  /** Orders nodes by how likely they answer; without any, those that have the data. */
  likely(nodes: readonly string[] | undefined): readonly string[];
  /** As far as this node knows; undefined when it has no replica. */
  leader?(group: number): string | undefined;
  /** Of the node. */
  readonly signal: AbortSignal;
}

/** A table by how it is read. */
type Modes = { readonly single: TableAccess } & Partial<Record<ReadMode, TableAccess>>;

const wholeMap = new SlotMap(0, [[evenSlots(0, 1)]]);
const maps = new WeakMap<Placement, SlotMap>();

/** Of a table without a placement: its only shard has everything. */
function slotsOf({ placement }: PlacedTable): SlotMap {
  if (placement === undefined) return wholeMap;
  const { epoch, shards } = placement;
  const map =
    maps.get(placement) ??
    new SlotMap(
      epoch,
      shards.map(({ slots }) => slots),
    );
  maps.set(placement, map);
  return map;
}

function identityOf({ placement }: PlacedTable, at: number): string {
  const shard = placement?.shards[at];
  return shard === undefined ? 'whole' : JSON.stringify([shard.group, shard.slots]);
}

/** The tables of the cluster as a query of this node reaches them. */
export class RoutedTables {
  readonly #options: RoutedTablesOptions;
  readonly #leaders = new Leaders();
  /** By identifier. */
  readonly #tables = new Map<string, Modes>();

  constructor(options: RoutedTablesOptions) {
    this.#options = options;
  }

  /** Undefined for a table that there is not (any more). */
  access(id: string, mode: ReadMode = 'single'): TableAccess | undefined {
    const info = this.#options.table(id);
    if (info === undefined) {
      this.#tables.delete(id);
      return undefined;
    }
    const known = this.#tables.get(id) ?? { single: this.#routed(id, info, 'single') };
    this.#tables.set(id, known);
    if (mode === 'single') return known.single;
    const read = (known[mode] ??= this.#routed(id, info, mode));
    const { single } = known;
    return {
      ...read,
      // Sessions of writes are those of one table.
      edit: (batch, signal) => single.edit(batch, signal),
      sync: () => single.sync(),
    };
  }

  #routed(id: string, { database, name }: PlacedTable, mode: ReadMode): TableAccess {
    const table = new RoutedTable({
      ...this.#options,
      id,
      name: `${database.name}.${name}`,
      route: () => this.#route(id),
      leaders: this.#leaders,
      mode,
    });
    return inWordsOfQueries(table);
  }

  #replicas({ placement }: PlacedTable, at: number): readonly string[] {
    const shard = placement?.shards[at];
    const nodes = this.#options.likely(shard?.replicas?.voters);
    const first = shard === undefined ? undefined : this.#options.leader?.(shard.group);
    return first === undefined ? nodes : [first, ...nodes.filter((id) => id !== first)];
  }

  #route(id: string): TableRoute | undefined {
    const info = this.#options.table(id);
    if (info === undefined) return undefined;
    return {
      slots: slotsOf(info),
      identity: (shard) => identityOf(info, shard),
      replicas: (shard) => this.#replicas(info, shard),
    };
  }
}
