import { allEnded } from '../common/all-ended.ts';
import type { SlotMap } from '../partition/hash-slots.ts';
import { isWithdrawal } from '../replication/errors.ts';
import { FoldedScan } from '../shard/folded-scan.ts';
import { MergedScan } from '../shard/merged-scan.ts';
import { keyInKeyspace } from '../table/envelope.ts';
import { indexEntryKey } from '../table/index-entry.ts';
import { rangeAfter, rangeUpTo } from '../table/key-range.ts';
import { ShardElsewhereError } from '../wire/errors.ts';
import type {
  Abortable,
  BatchLimit,
  BatchSource,
  EncodedRange,
  IndexPosition,
  IndexRow,
  Order,
  ReadMode,
  Row,
  ScanOptions,
  TableAccess,
} from '../wire/table-access.ts';
import type { Edit, EditBatch, EditOutcome } from '../wire/table-edit.ts';
import { failureOf } from '../wire/table-failure.ts';
import { PrimaryUnavailableError, WriteOutcomeUnknownError } from './errors.ts';
import type { Operation } from './errors.ts';
import type { Leaders } from './leaders.ts';
import type { OwnShards, ShardPeers } from './peers.ts';
import { IndexWait, isIndexBuilding } from './index-wait.ts';
import { retryBudgetMs } from './retry.ts';
import type { Retrying } from './retry.ts';
import { RoutedShard } from './routed-shard.ts';

/** The shards of a table as this node knows them. */
export interface TableRoute {
  readonly slots: SlotMap;
  /** Equal at two epochs: the same group with the same slots, which knows the sessions of writes. */
  identity(shard: number): string;
  /** Nodes that have a shard, the most likely leader first. */
  replicas(shard: number): readonly string[];
}

export interface RoutedTableOptions extends Retrying {
  readonly id: string;
  /** `database.table`, for sentences. */
  readonly name: string;
  /** The newest one. Undefined when the table was dropped. */
  route(): TableRoute | undefined;
  /** Resolves when the route may be another one. */
  changed(signal: AbortSignal): Promise<void>;
  readonly own: OwnShards | undefined;
  readonly peers: ShardPeers;
  readonly leaders: Leaders;
  /** Of reads; `single` without it. */
  readonly mode?: ReadMode | undefined;
  /** Of the node. */
  readonly signal: AbortSignal;
}

/** Where a row stands in an index: among entries of all shards, whatever their keyspaces. */
const positionInIndex = ({ indexKey, key }: IndexPosition): Uint8Array =>
  keyInKeyspace(indexEntryKey(0, indexKey, key));

interface Routed {
  readonly slots: SlotMap;
  readonly shards: readonly RoutedShard[];
  /** By shard. */
  readonly identities: readonly string[];
}

/**
 * A table over its shards, wherever these are: keys go to the shard that has their slot, scans are merged in order.
 * Guarded invariant: a request that a shard refused because its map is newer is repeated with that map, and what was
 * carried out is never repeated.
 */
export class RoutedTable implements TableAccess {
  readonly #options: RoutedTableOptions;
  #routed: Routed | undefined;

  constructor(options: RoutedTableOptions) {
    this.#options = options;
  }

  get(key: Uint8Array, query: Abortable): Row | undefined | Promise<Row | undefined> {
    const routed = this.#now('read');
    const row = shardOf(routed, key).get(key, query);
    if (!(row instanceof Promise)) return row;
    return row.catch((error: unknown) =>
      this.#again(error, 'read', query.signal, async () => this.get(key, query)),
    );
  }

  scan(range: EncodedRange, order: Order, options?: ScanOptions): BatchSource<Row> {
    return this.#scan<Row>({
      part: (shard, last, until) => {
        const left = last === undefined ? range : rangeAfter(range, last.key, order);
        const part = until === undefined ? left : rangeUpTo(left, until.key, order);
        return shard.scan(part, order, options);
      },
      isFolded: options?.pushed?.fold !== undefined,
      positionOf: ({ key }) => key,
      order,
    });
  }

  scanIndex(
    index: string,
    range: EncodedRange,
    order: Order,
    options?: ScanOptions,
  ): BatchSource<IndexRow> {
    return this.#scan<IndexRow>({
      part: (shard, after = options?.after, until = options?.until) =>
        shard.scanIndex(index, range, order, { ...options, after, until }),
      isFolded: options?.pushed?.fold !== undefined,
      positionOf: positionInIndex,
      order,
    });
  }

  async count(): Promise<number> {
    return this.#everywhere('read', async (shards) => {
      const counts = await allEnded(shards.map((shard) => shard.count()));
      return counts.reduce((sum, count) => sum + count, 0);
    });
  }

  async sync(): Promise<void> {
    await this.#everywhere('write', (shards) => allEnded(shards.map((shard) => shard.sync())));
  }

  /**
   * Evaluates and commits edits; those of a key in their order. An edit whose shard failed has the failure as its
   * outcome; rejects with it when no shard took any.
   */
  async edit(batch: EditBatch, signal: AbortSignal): Promise<readonly EditOutcome[]> {
    const routed = this.#now('write');
    const [only] = routed.shards;
    if (routed.shards.length === 1 && only !== undefined)
      return this.#editShard(only, batch, signal);
    const places = placesByShard(routed, batch.edits);
    const settled = await Promise.allSettled(
      [...places].map(([shard, at]) => {
        const edits = at.map((place) => batch.edits[place] as Edit);
        return this.#editShard(shard, { ...batch, edits }, signal);
      }),
    );
    return joined([...places.values()], settled);
  }

  async #editShard(
    shard: RoutedShard,
    batch: EditBatch,
    signal: AbortSignal,
  ): Promise<readonly EditOutcome[]> {
    try {
      return await shard.edit(batch, signal);
    } catch (error) {
      // Keys of the batch may belong to several shards by now.
      return this.#again(error, 'write', signal, () => this.edit(batch, signal));
    }
  }

  async #everywhere<T>(
    operation: Operation,
    work: (shards: readonly RoutedShard[]) => Promise<T>,
  ): Promise<T> {
    const { signal } = this.#options;
    try {
      return await work(this.#now(operation).shards);
    } catch (error) {
      return this.#again(error, operation, signal, () => this.#everywhere(operation, work));
    }
  }

  #scan<T extends Row>(how: ScanOf<T>): BatchSource<T> {
    const building = new IndexWait(this.#options);
    return new RoutedScan(
      () => this.#now('read').shards,
      how,
      (error, signal) =>
        isIndexBuilding(error) ? building.again(error, signal) : this.#newer(error, 'read', signal),
    );
  }

  /** Repeats what a shard refused because of its newer map, as soon as this node has that map. */
  async #again<T>(
    error: unknown,
    operation: Operation,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    await this.#newer(error, operation, signal);
    return work();
  }

  async #newer(error: unknown, operation: Operation, signal: AbortSignal): Promise<void> {
    if (!(error instanceof ShardElsewhereError)) throw error;
    const { epoch } = error.moved;
    const { clock } = this.#options;
    const over = new AbortController();
    const stop = AbortSignal.any([signal, over.signal]);
    const late = (): void => over.abort(this.#unavailable(operation));
    const timer = clock.timer(retryBudgetMs, late);
    try {
      while (this.#now(operation).slots.epoch < epoch) await this.#options.changed(stop);
    } finally {
      timer.cancel();
    }
  }

  #unavailable(operation: Operation): PrimaryUnavailableError {
    return new PrimaryUnavailableError(
      operation,
      `table \`${this.#options.name}\``,
      'Its shards have moved, and this node has not received their new places.',
    );
  }

  #now(operation: Operation): Routed {
    const route = this.#options.route();
    if (route === undefined)
      throw new PrimaryUnavailableError(
        operation,
        `table \`${this.#options.name}\``,
        'The table was dropped.',
      );
    if (this.#routed?.slots.epoch !== route.slots.epoch) this.#routed = this.#routedBy(route);
    return this.#routed;
  }

  #routedBy(route: TableRoute): Routed {
    const { id, name, mode } = this.#options;
    const { slots } = route;
    const identities = Array.from({ length: slots.shards }, (_, shard) => route.identity(shard));
    const shards = identities.map(
      (own, shard) =>
        new RoutedShard({
          ...this.#options,
          to: { table: id, shard, epoch: slots.epoch, mode },
          name:
            slots.shards === 1
              ? `table \`${name}\``
              : `shard ${shard + 1} of ${slots.shards} of table \`${name}\``,
          replicas: () => this.#options.route()?.replicas(shard) ?? [],
          successor: (error, signal) => this.#successor(own, error, signal),
        }),
    );
    return { slots, shards, identities };
  }

  /** The shard in the map that refused a request because it is newer. */
  async #successor(
    identity: string,
    error: ShardElsewhereError,
    signal: AbortSignal,
  ): Promise<RoutedShard | undefined> {
    await this.#newer(error, 'write', signal);
    const { shards, identities } = this.#now('write');
    return shards[identities.indexOf(identity)];
  }
}

function shardOf({ slots, shards }: Routed, key: Uint8Array): RoutedShard {
  return shards[slots.shardOf(key)] as RoutedShard;
}

function placesByShard(routed: Routed, edits: readonly Edit[]): Map<RoutedShard, number[]> {
  const places = new Map<RoutedShard, number[]>();
  for (const [at, { key }] of edits.entries()) {
    const shard = shardOf(routed, key);
    const own = places.get(shard);
    if (own === undefined) places.set(shard, [at]);
    else own.push(at);
  }
  return places;
}

/** The others may have taken theirs. */
const isOfShard = (error: Error): boolean =>
  error instanceof PrimaryUnavailableError ||
  error instanceof WriteOutcomeUnknownError ||
  isWithdrawal(error) ||
  'failure' in error;

/** Outcomes in the order of the edits. What fails for all edits of a shard fails for each of them. */
function joined(
  places: readonly (readonly number[])[],
  settled: readonly PromiseSettledResult<readonly EditOutcome[]>[],
): EditOutcome[] {
  const failures = settled.flatMap((one) =>
    one.status === 'rejected' ? [one.reason as Error] : [],
  );
  const [first] = failures;
  const fatal = failures.find((error) => !isOfShard(error));
  if (fatal !== undefined) throw fatal;
  if (first !== undefined && failures.length === settled.length) throw first;
  const outcomes: EditOutcome[] = [];
  for (const [part, result] of settled.entries()) {
    for (const [nth, at] of (places[part] ?? []).entries()) {
      outcomes[at] =
        result.status === 'fulfilled'
          ? (result.value[nth] as EditOutcome)
          : { result: 'failed', error: failureOf(result.reason) };
    }
  }
  return outcomes;
}

interface ScanOf<T extends Row> {
  /** Behind one row and up to another one, of any shard. */
  readonly part: (shard: RoutedShard, last?: T, until?: T) => BatchSource<T>;
  readonly isFolded: boolean;
  readonly positionOf: (row: T) => Uint8Array;
  readonly order: Order;
}

/** A scan that continues behind its last row when the shards of the table are others. */
class RoutedScan<T extends Row> implements BatchSource<T> {
  readonly #shards: () => readonly RoutedShard[];
  readonly #how: ScanOf<T>;
  readonly #newer: (error: unknown, signal: AbortSignal) => Promise<void>;
  #source: BatchSource<T> | undefined;
  #last: T | undefined;
  #isOver = false;

  constructor(
    shards: () => readonly RoutedShard[],
    how: ScanOf<T>,
    newer: (error: unknown, signal: AbortSignal) => Promise<void>,
  ) {
    this.#shards = shards;
    this.#how = how;
    this.#newer = newer;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined> {
    while (!this.#isOver) {
      this.#source ??= this.#open();
      try {
        const rows = await this.#source.next(limit, signal);
        if (rows === undefined) this.close();
        this.#last = rows?.at(-1) ?? this.#last;
        return rows;
      } catch (error) {
        await this.#newer(error, signal);
        this.#source.close();
        this.#source = undefined;
      }
    }
    return undefined;
  }

  close(): void {
    this.#isOver = true;
    this.#source?.close();
  }

  #open(): BatchSource<T> {
    const { part, isFolded, positionOf, order } = this.#how;
    const from = this.#last;
    const shards = this.#shards();
    if (isFolded && shards.length > 1)
      return new FoldedScan({
        shards: shards.length,
        order,
        positionOf,
        part: (at, last = from, until) => part(shards[at] as RoutedShard, last, until),
      });
    const scans = shards.map((shard) => part(shard, from));
    const [only] = scans;
    if (scans.length === 1 && only !== undefined) return only;
    return new MergedScan(scans, { positionOf, order });
  }
}
