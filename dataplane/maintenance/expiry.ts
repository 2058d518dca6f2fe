import { successor } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import { numberOfKey, timeKeys } from '../datum/key.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import { decodeIndexEntry } from '../table/index-entry.ts';
import { storedRange } from '../table/key-range.ts';
import type { Change, Edit } from '../wire/table-edit.ts';
import { TableError } from '../wire/table-failure.ts';

/**
 * Removes documents whose time is over. The index says which may be due; the deletion is an ordinary
 * edit through the log, decided on the newest document, so that one that was renewed stays and all
 * replicas delete the same. What is not in the store yet is found a moment later. Guarded invariant:
 * no document goes before this node's clock says so; a clock that goes back only delays.
 */
export interface ExpiringTable {
  readonly group: ShardReplica;
  /** The field that holds the time. */
  readonly field: string;
  /** Of the index over that field. */
  readonly index: number;
}

export interface ExpiryOptions {
  /** Tables that are served, as they are now. */
  tables(): readonly ExpiringTable[];
  /** Whether deletions are refused, for lack of room. */
  isRefused(): boolean;
  readonly clock: Pick<Clock, 'sleep' | 'timeOfDay' | 'yield'>;
  /** Hears why documents of a table stay for now; once until they go again. */
  delayed(table: string, error: Error): void;
}

const deletion = {
  durability: 'hard',
  context: { nowMs: 0, arrayLimit: 0 },
  hook: undefined,
  documents: 'none',
} as const;

/** Documents in one edit: a pause of a few milliseconds for everybody else. */
const batchDocuments = 100;
/** Edits of a table before they are waited for, and the other tables have their turn. */
const batchesMax = 20;
/** A document may come that is due before those that are known. */
const lookMsMax = 1_000;
/** Documents that are due one shortly after the other go together. */
const lookMsMin = 50;

/** The next entries of the index. */
interface Found {
  /** Primary keys of those that are due. */
  readonly keys: readonly Uint8Array[];
  /** Behind the last of them. */
  readonly position: Uint8Array;
  /** The time of the first; undefined when there is none. */
  readonly firstMs: number | undefined;
  /** When the next document is due; undefined when none is known, or there may be more due now. */
  readonly nextMs: number | undefined;
  readonly isMore: boolean;
}

export class Expiry {
  readonly #options: ExpiryOptions;
  /** By index: where a table's turn ended while there was more. */
  readonly #positions = new Map<number, Uint8Array>();
  /** By index: when the oldest document was due that is still there. */
  readonly #oldestMs = new Map<number, number>();
  /** Tables that were reported to `delayed`, by index. */
  readonly #delayed = new Set<number>();
  #expired = 0;

  constructor(options: ExpiryOptions) {
    this.#options = options;
  }

  /** Documents deleted since the start. */
  get expired(): number {
    return this.#expired;
  }

  /** How long ago the oldest document was due that is still there; 0 when none is. */
  get lagMs(): number {
    const now = this.#options.clock.timeOfDay();
    return Math.max(0, ...[...this.#oldestMs.values()].map((dueMs) => now - dueMs));
  }

  /** Works until the signal says so, and rejects with its reason. */
  async run(signal: AbortSignal): Promise<never> {
    for (;;) await this.#options.clock.sleep(await this.look(signal), signal);
  }

  /** Gives each table its turn; answers after how many milliseconds the next look is wanted. */
  async look(signal: AbortSignal): Promise<number> {
    const tables = this.#options.tables();
    this.#forget(new Set(tables.map(({ index }) => index)));
    let waitMs = lookMsMax;
    for (const table of tables) {
      signal.throwIfAborted();
      waitMs = Math.min(waitMs, await this.#turn(table, signal));
    }
    return waitMs;
  }

  async #turn(table: ExpiringTable, signal: AbortSignal): Promise<number> {
    const { index, group } = table;
    try {
      const deletions: Promise<Error | undefined>[] = [];
      let failure: Error | undefined;
      let waitMs = 0;
      try {
        waitMs = await this.#propose(table, deletions, signal);
      } finally {
        // Those that were begun are awaited whatever becomes of the next.
        failure = (await Promise.all(deletions)).find((each) => each !== undefined);
      }
      if (failure !== undefined) throw failure;
      this.#delayed.delete(index);
      return waitMs;
    } catch (error) {
      // Such as a damaged table or a full log. It is tried again, from the start.
      if (signal.aborted || !(error instanceof PhotonError)) throw error;
      this.#positions.delete(index);
      if (!this.#delayed.has(index)) this.#options.delayed(group.options.name, error);
      this.#delayed.add(index);
      return lookMsMax;
    }
  }

  /** Begins the deletions of a turn: they go into the log together. */
  async #propose(
    table: ExpiringTable,
    deletions: Promise<Error | undefined>[],
    signal: AbortSignal,
  ): Promise<number> {
    const { index } = table;
    let position = this.#positions.get(index) ?? timeKeys.start;
    for (let batch = 0; batch < batchesMax; batch += 1) {
      const now = this.#options.clock.timeOfDay();
      const found = findDue(table, position, now);
      if (position === timeKeys.start) this.#note(index, found.firstMs);
      if (found.keys.length > 0) {
        if (this.#options.isRefused()) return lookMsMax;
        deletions.push(this.#delete(table, found.keys, signal));
        await this.#options.clock.yield();
      }
      if (!found.isMore) {
        // What comes next begins at the start again: the entries before it are gone, or not due.
        this.#positions.delete(index);
        this.#oldestMs.delete(index);
        const nextMs = found.nextMs ?? Number.POSITIVE_INFINITY;
        return Math.max(lookMsMin, Math.min(lookMsMax, nextMs - now));
      }
      position = found.position;
    }
    this.#positions.set(index, position);
    return 0;
  }

  /** Answers why documents stay, since nobody waits for it before the turn ends. */
  async #delete(
    { group, field }: ExpiringTable,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<Error | undefined> {
    const change: Change = { type: 'expire', field, nowMs: this.#options.clock.timeOfDay() };
    const edits = keys.map((key): Edit => ({ key, change }));
    try {
      const outcomes = await group.edit({ ...deletion, edits }, signal);
      for (const { result } of outcomes) if (result === 'deleted') this.#expired += 1;
      const failure = outcomes.find(({ error }) => error !== undefined)?.error;
      return failure === undefined ? undefined : new TableError(failure);
    } catch (error) {
      return error as Error;
    }
  }

  #note(index: number, firstMs: number | undefined): void {
    if (firstMs === undefined) this.#oldestMs.delete(index);
    else this.#oldestMs.set(index, firstMs);
  }

  #forget(indexes: ReadonlySet<number>): void {
    for (const known of [this.#positions, this.#oldestMs, this.#delayed]) {
      for (const index of known.keys()) if (!indexes.has(index)) known.delete(index);
    }
  }
}

/** Looks into the store alone: what waits in the memtable comes there in a moment. */
function findDue({ group, index }: ExpiringTable, start: Uint8Array, nowMs: number): Found {
  const keys: Uint8Array[] = [];
  let position = start;
  let [firstMs, nextMs]: (number | undefined)[] = [];
  const range = storedRange(index, { start, end: timeKeys.end }, 'ascending');
  group.options.store.read((view) =>
    view.walk('index', range, (storedKey, value) => {
      const { indexKey, primaryKey } = decodeIndexEntry(storedKey, value);
      const dueMs = numberOfKey(indexKey) * 1_000;
      if (dueMs > nowMs) nextMs = dueMs;
      else {
        firstMs ??= dueMs;
        keys.push(primaryKey);
        position = successor(storedKey.subarray(4));
      }
      return nextMs === undefined && keys.length < batchDocuments;
    }),
  );
  return { keys, position, firstMs, nextMs, isMore: keys.length === batchDocuments };
}
