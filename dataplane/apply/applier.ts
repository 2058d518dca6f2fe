import { allEnded } from '../common/all-ended.ts';
import { decodeUtf8 } from '../common/bytes.ts';
import type { Clock, Timer } from '../common/clock.ts';
import { spawn } from '../common/spawn.ts';
import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import { writeMark } from '../integrity/damage-mark.ts';
import type { Damage } from '../integrity/damage.ts';
import type { IndexFailures } from '../integrity/index-failures.ts';
import { writeUnchecked } from '../integrity/unchecked.ts';
import type { UncheckedVersions } from '../integrity/unchecked.ts';
import type { ApplyStore, ReadTransaction, WriteTransaction } from '../kv/store.ts';
import { groupsOf, importsOf } from '../metadata/shards.ts';
import { emptyState } from '../metadata/state.ts';
import type { MetadataState } from '../metadata/state.ts';
import { entryKind, metadataGroup } from '../replication/entry-kind.ts';
import type { GroupLog } from '../replication/log.ts';
import type { Position } from '../replication/replicated-group.ts';
import { applyCommand } from '../table/apply.ts';
import type { ApplyTarget } from '../table/apply.ts';
import { encodeAgain } from '../table/command.ts';
import type { KeyspaceWalk } from '../table/keyspace-walk.ts';
import { metaKey } from '../table/meta-key.ts';
import {
  findStatistics,
  isToRecount,
  readStatistics,
  recountLater,
  StatisticsChanges,
} from '../table/statistics.ts';
import { readApplied, writeApplied, writeMembers } from './applied-position.ts';
import { ApplyQueue, operationsOf } from './apply-queue.ts';
import type { ApplyItem, KeyspaceSum } from './apply-queue.ts';
import { hasRecords, readMetadata, writeMetadata } from './catalog.ts';
import { EntryNotApplicableError, gapInStore } from './errors.ts';
import { park, unpark } from './parked.ts';
import { SessionChanges } from './stored-sessions.ts';
import type { Tables } from './tables.ts';
import type { TouchedKeys } from './touched-keys.ts';

export interface ApplierOptions {
  readonly store: ApplyStore;
  readonly clock: Clock;
  readonly tables: Tables;
  readonly corruption: CorruptionRegistry;
  /** Walks that count keyspaces again at this moment. */
  readonly walks: ReadonlyMap<number, KeyspaceWalk>;
  readonly failures: IndexFailures;
  readonly unchecked: UncheckedVersions;
  /** The last entry of a group that the log may let go of, while another member receives the group's state. */
  heldFrom(group: number): number | undefined;
  /** Whether writers wait until the store has what is queued; `hurry` when that begins. */
  isAwaited(): boolean;
  /** Called with what makes the node unable to go on. */
  failed(error: Error): void;
}

/** Operations that are applied in one go: bounds the pause of everything else. */
const operationsPerSliceMax = 128;
const sliceMs = 2;
/** Slices that are handed to the store together, for it to commit as one: as many as it takes into a commit. */
const slicesMax = 32;
/**
 * A commit rewrites each page that it touches: a few large ones cost half of many small ones. So
 * entries are gathered, in operations, bytes and time; readers find them in the memtable meanwhile. Nothing is
 * gathered while writers wait for room.
 */
const gatherOperations = 4_096;
const gatherBytes = 8 * 1_048_576;
const gatherMs = 200;
/** How often the log is asked to let go of what the medium has. */
const checkpointMs = 1_000;

const openingBrace = 0x7b;
const closingBrace = 0x7d;

/** What was written here was checked before: this is the second wall, and costs nothing. */
const looksLikeObject = (body: Uint8Array): boolean =>
  body[0] === openingBrace && body.at(-1) === closingBrace;

const entriesUnknown = {
  message: 'it may have entries of a document that was damaged, and is built again',
  isRebuilt: true,
} as const;

const groupOf = (item: ApplyItem): number =>
  item.type === 'metadata' ? metadataGroup : item.group;

type TableItem = Extract<ApplyItem, { type: 'table' }>;

/** Gathered over the items of one transaction. */
interface ItemChanges {
  readonly statistics: StatisticsChanges;
  readonly sessions: SessionChanges;
}

/** A commit before this one may have failed: behind a gap the position would hide what is missing. */
function advance(
  transaction: ReadTransaction,
  positions: Map<number, Position>,
  item: ApplyItem,
): void {
  const group = groupOf(item);
  const before = positions.get(group)?.index ?? readApplied(transaction, group);
  if (item.index !== before + 1) throw gapInStore(group, before, item.index);
  positions.set(group, item);
}

/**
 * Moves committed entries from the log into the store, off the path of requests, in the order of the
 * log and in slices. Guarded invariant: rows, index entries, counters and the applied position of a
 * group change in one transaction, so that replay goes on exactly where the store stands.
 */
export class Applier {
  readonly #options: ApplierOptions;
  readonly #queue = new ApplyQueue();
  /** The metadata that the store has told to have; what it shows may be newer. */
  #stored: MetadataState;
  /** What the store was given last, of which it has a record of each table; undefined without any. */
  #written: MetadataState | undefined;
  /** Groups in quarantine: their entries change no rows, and are kept. */
  readonly #quarantined = new Map<number, Damage>();
  /** By group. */
  readonly #watches = new Map<number, Set<TouchedKeys>>();
  #isRunning = false;
  /** Ends the gathering. */
  #wake: () => void = () => undefined;
  /** Items that were ever pushed, and that the store has. */
  readonly #count = { pushed: 0, applied: 0 };
  /** Callers of `drained`: nothing is gathered while there is one. */
  #drains: (PromiseWithResolvers<void> & { readonly target: number })[] = [];
  /** Why the store cannot be built on: nothing is applied behind a gap, and the log keeps everything. */
  #failure: Error | undefined;
  #log: GroupLog | undefined;
  #checkpointTimer: Timer | undefined;
  #checkpointing: Promise<void> | undefined;
  #stopped = false;

  constructor(options: ApplierOptions) {
    this.#options = options;
    const stored = options.store.read(readMetadata);
    this.#stored = stored ?? emptyState;
    this.#written = options.store.read(hasRecords) ? stored : undefined;
  }

  /** From now on the front of the log is truncated as the medium catches up. */
  truncateAsFlushed(log: GroupLog): void {
    this.#log = log;
  }

  /** Entries of the group are parked from now on; the first of them goes with the mark. */
  quarantine(group: number, damage: Damage): void {
    if (!this.#quarantined.has(group)) this.#quarantined.set(group, damage);
  }

  /** The state of the group is another one: its entries are applied again. */
  restored(group: number): void {
    this.#quarantined.delete(group);
  }

  /** The metadata is that of another member, as of a position of its log. Resolves when it is on the medium. */
  async restoreMetadata(
    state: MetadataState,
    position: Position,
    members: Uint8Array,
  ): Promise<void> {
    await this.drained();
    const { store } = this.#options;
    await store.write((transaction) => {
      writeMetadata(transaction, this.#written, state);
      writeApplied(transaction, metadataGroup, position);
      writeMembers(transaction, metadataGroup, members);
      transaction.remove('meta', metaKey('incoming', metadataGroup));
      this.#written = state;
    });
    await store.flushed();
    this.#stored = state;
  }

  push(item: ApplyItem): void {
    // The log has it: the next start applies it.
    if (this.#failure !== undefined || this.#stopped) return;
    this.#queue.push(item);
    this.#count.pushed += 1;
    if (this.#isEnough) this.#wake();
    if (this.#isRunning) return;
    this.#isRunning = true;
    spawn(
      () => this.#run(),
      (error) => {
        this.#fail(error as Error);
        this.#isRunning = false;
      },
    );
  }

  /** Somebody waits for what is applied: nothing more is gathered. */
  hurry(): void {
    this.#wake();
  }

  /**
   * Resolves when everything pushed so far is in the store; what is pushed meanwhile does not count. Rejects when
   * it never will be.
   */
  async drained(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#count.applied === this.#count.pushed) return;
    const drain = {
      ...Promise.withResolvers<void>(),
      target: this.#count.pushed,
    };
    this.#drains.push(drain);
    this.#wake();
    await drain.promise;
  }

  /** From now on `touched` receives every change of the group, until the returned function is called. */
  watch(group: number, touched: TouchedKeys): () => void {
    const watches = this.#watches.get(group) ?? new Set();
    this.#watches.set(group, watches.add(touched));
    return () => {
      watches.delete(touched);
      if (watches.size === 0) this.#watches.delete(group);
    };
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Applies what waits, flushes, and lets the log go of it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#checkpointTimer?.cancel();
    try {
      await this.drained();
    } finally {
      // Nothing reads the store when this is over: it is closed next.
      await this.#checkpointing;
    }
    await this.checkpoint();
  }

  async #run(): Promise<void> {
    // Leaves the caller's turn: entries that commit together are applied together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      await this.#gather();
      const wanted = Math.ceil(this.#queue.operations / operationsPerSliceMax);
      const slices = Math.min(slicesMax, wanted);
      try {
        await allEnded(Array.from({ length: slices }, () => this.#slice()));
      } catch (error) {
        this.#passOver(error);
      }
      this.#endDrains(this.#count.applied);
      this.#checkpointLater();
    }
    this.#isRunning = false;
  }

  /** A table with an entry that cannot be applied is closed, and all others go on. */
  #passOver(error: unknown): void {
    if (!(error instanceof EntryNotApplicableError) || this.#quarantined.has(error.group)) {
      throw error;
    }
    const { group, code, message } = error;
    this.#options.corruption.close(group, { code, message });
  }

  #endDrains(reached: number): void {
    const over = this.#drains.filter(({ target }) => target <= reached);
    this.#drains = this.#drains.filter(({ target }) => target > reached);
    for (const { resolve } of over) resolve();
  }

  /** An entry is not in the store: none behind it may come there, or replay would never bring it. */
  #fail(error: Error): void {
    this.#failure ??= error;
    this.#queue.clear();
    this.#options.failed(this.#failure);
    for (const { reject } of this.#drains.splice(0)) reject(this.#failure);
  }

  get #isEnough(): boolean {
    return this.#queue.operations >= gatherOperations || this.#queue.bytes >= gatherBytes;
  }

  async #gather(): Promise<void> {
    if (this.#isEnough || this.#drains.length > 0 || this.#options.isAwaited()) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.timer(gatherMs, resolve);
      this.#wake = (): void => {
        timer.cancel();
        resolve();
      };
    });
  }

  async #slice(): Promise<void> {
    const { items, sums } = await this.#options.store.write((transaction) =>
      this.#applyInto(transaction),
    );
    this.#count.applied += items.length;
    for (const item of items) {
      if (item.type === 'table') item.applied();
      else if (item.type === 'metadata') this.#stored = item.state;
    }
    const last = items.at(-1);
    if (sums !== undefined && last?.type === 'table') last.compared?.(sums);
  }

  /** What is compared is what the store has at that very entry: nothing behind it is in the same transaction. */
  #applyInto(transaction: WriteTransaction): {
    readonly items: readonly ApplyItem[];
    readonly sums: readonly KeyspaceSum[] | undefined;
  } {
    const { clock } = this.#options;
    const deadline = clock.now() + sliceMs;
    const statistics = new StatisticsChanges(this.#options.walks);
    const sessions = new SessionChanges();
    const positions = new Map<number, Position>();
    let [count, operations] = [0, 0];
    let metadata = this.#written;
    let compared: TableItem | undefined;
    for (const item of this.#queue) {
      if (this.#applyItem(transaction, item, { statistics, sessions }))
        advance(transaction, positions, item);
      if (item.type === 'metadata') metadata = item.state;
      count += 1;
      operations += operationsOf(item);
      if (item.type === 'table' && item.compared !== undefined) {
        compared = item;
        break;
      }
      if (operations >= operationsPerSliceMax || clock.now() > deadline) break;
    }
    statistics.write(transaction);
    sessions.write(transaction);
    this.#options.failures.save(transaction);
    for (const [group, position] of positions) writeApplied(transaction, group, position);
    if (metadata !== undefined) writeMetadata(transaction, this.#written, metadata);
    this.#written = metadata;
    const sums = compared === undefined ? undefined : this.#sumsOf(transaction, compared);
    return { items: this.#queue.take(count), sums };
  }

  /** Undefined when what the rows add up to is not known. */
  #sumsOf(
    transaction: ReadTransaction,
    { group, command: { keyspace } }: TableItem,
  ): readonly KeyspaceSum[] | undefined {
    if (this.#quarantined.has(group) || isToRecount(transaction, keyspace)) return undefined;
    const { tables } = this.#options;
    const indexes = (tables.indexesOf(group) ?? []).filter((index) =>
      tables.isReady({ keyspace: index.keyspace, ready: false }),
    );
    const ofIndexes = indexes.flatMap((index) => {
      const found = findStatistics(transaction, index.keyspace);
      return found === undefined ? [] : [{ keyspace: index.keyspace, ...found }];
    });
    return [{ keyspace, ...readStatistics(transaction, keyspace) }, ...ofIndexes];
  }

  /** Whether the position moves: not for a table that was dropped, of which nothing is left. */
  #applyItem(
    transaction: WriteTransaction,
    item: ApplyItem,
    { statistics, sessions }: ItemChanges,
  ): boolean {
    if (item.type === 'metadata') return true;
    const { group, index } = item;
    const indexes = group === metadataGroup ? [] : this.#options.tables.indexesOf(group);
    if (indexes === undefined) return false;
    if (item.type === 'passed') {
      const { configuration } = item;
      if (configuration !== undefined) writeMembers(transaction, group, configuration);
      return true;
    }
    const isParked = item.type === 'table' && item.origin === 'parked';
    if (item.type === 'quarantined' || this.#quarantined.has(group)) {
      if (isParked) return false;
      const { kind, payload } =
        item.type === 'table'
          ? { kind: entryKind.command, payload: encodeAgain(item.command) }
          : item;
      park(transaction, group, { index, kind, payload });
      const damage = this.#quarantined.get(group);
      // No earlier: before the metadata, a mark would be data of a table that nobody knows.
      if (damage !== undefined) writeMark(transaction, group, damage);
      return true;
    }
    try {
      this.#applyCommand(transaction, item, { indexes, statistics });
    } catch (error) {
      // What the log holds ends no node, whatever it is.
      throw new EntryNotApplicableError(group, index, error);
    }
    if (item.session !== undefined) sessions.add(group, item.session);
    if (isParked) unpark(transaction, group, index);
    return !isParked;
  }

  #applyCommand(
    transaction: WriteTransaction,
    { group, index, command, origin }: TableItem,
    target: Pick<ApplyTarget, 'indexes' | 'statistics'>,
  ): void {
    const { failures, unchecked, tables, corruption } = this.#options;
    const { keyspace, version } = command;
    for (const touched of this.#watches.get(group) ?? []) {
      touched.touch(index, command.operations);
    }
    for (const change of applyCommand(command, { transaction, ...target })) {
      if (change.replacesDamage) {
        recountLater(transaction, keyspace);
        for (const each of target.indexes) failures.fail(each.keyspace, entriesUnknown);
      }
      corruption.documents.replaced(keyspace, change.key);
      const { key, body } = change;
      if (body === undefined) continue;
      const isDocument =
        origin === 'written' || origin === 'replicated'
          ? looksLikeObject(body)
          : tables.problemOf(keyspace, decodeUtf8(body), key) === undefined;
      if (isDocument) continue;
      writeUnchecked(transaction, keyspace, version);
      unchecked.raise(keyspace, version);
    }
  }

  /** While there is no end of entries, too. */
  #checkpointLater(): void {
    if (this.#stopped || this.#checkpointTimer !== undefined) return;
    this.#checkpointTimer = this.#options.clock.timer(checkpointMs, () => {
      this.#checkpointTimer = undefined;
      this.#checkpointing = Promise.resolve(this.#checkpointing)
        .then(() => this.checkpoint())
        .catch((error: unknown) => this.#options.failed(error as Error));
    });
  }

  /**
   * The log may forget what the medium has: visible is not enough. Of which tables there are, only
   * what the store has told counts: one whose drop only the log has is there again after a crash, and
   * wants its entries.
   */
  async checkpoint(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const { store } = this.#options;
    const stored = this.#stored;
    const positions = store.read(
      (view) =>
        new Map(
          [metadataGroup, ...groupsOf(stored)].map((group) => [group, readApplied(view, group)]),
        ),
    );
    await store.flushed();
    // A group that is neither there nor still to come was dropped; an import may be one by now.
    const toCome = new Set(
      importsOf(stored).flatMap(({ shards }) => shards.map(({ group }) => group)),
    );
    const dropped = (group: number): number | undefined =>
      group < stored.nextKeyspace && !toCome.has(group) ? Number.POSITIVE_INFINITY : undefined;
    // A group that has moved to other nodes has nothing here that the log would bring.
    const { tables } = this.#options;
    const hasMoved = (group: number): boolean =>
      group !== metadataGroup && positions.get(group) === 0 && !tables.isHere(group);
    const kept = (group: number): number | undefined => {
      const position = positions.get(group);
      const held = this.#options.heldFrom(group);
      return position === undefined || held === undefined ? position : Math.min(position, held);
    };
    const flushed = (group: number): number | undefined =>
      hasMoved(group) ? Number.POSITIVE_INFINITY : (kept(group) ?? dropped(group));
    await this.#log?.truncateFront({ get: flushed });
  }
}
