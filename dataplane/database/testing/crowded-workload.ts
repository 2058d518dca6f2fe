import { editAll, isRefused } from './edits.ts';
import type { ScriptedEdit } from './edits.ts';
import { failureOf } from '../../wire/table-failure.ts';
import type { TableFailure } from '../../wire/table-failure.ts';
import { setImmediate as turn } from 'node:timers/promises';
import { encodeUtf8 } from '../../common/bytes.ts';
import { InTurn } from '../../common/in-turn.ts';
import type { Prng } from '../../common/prng.ts';
import type { Datum } from '../../datum/datum.ts';
import { newTable } from '../../metadata/testing/new-table.ts';
import { isRefusal } from '../../replication/errors.ts';
import type { ShardedTable } from '../../shard/sharded-table.ts';
import type { Database } from '../database.ts';
import { SchemaModel } from './model.ts';
import type { Schema } from './model.ts';
import { RefusableTable } from './refusable-table.ts';
import type { SentWrite } from './refusable-table.ts';
import type { Document, Life } from './workload.ts';

/**
 * Large edits of many documents, side by side, over a log and a memtable that are full most of the time, and a
 * model of what the tables must have.
 */
const tableIds = ['crowded', 'other'] as const;
const keys = 300;
const values = 7;
const documentsMax = 60;
const textBytesMax = 900;
const signal = new AbortController().signal;

interface Written {
  readonly table: RefusableTable;
  /** By the place of the edit; undefined for one that changed nothing. */
  readonly writes: readonly (SentWrite | undefined)[];
}

export class CrowdedWorkload {
  readonly schema = new SchemaModel();
  readonly tables = new Map<string, RefusableTable>();
  readonly counts = { acknowledged: 0, refused: 0, lost: 0 };
  readonly #prng: Prng;
  /** One sync at a time: the next one reports what was lost. */
  readonly #syncs = new InTurn();
  /** By table: what was acknowledged softly since the last sync that was answered. */
  readonly #soft = new Map<string, SentWrite[]>();
  #number = 0;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  async run(life: Life, steps: number): Promise<void> {
    this.#soft.clear();
    await this.#makeTables(life);
    let hasFailed = false;
    const isOver = (): boolean => hasFailed || life.isOver();
    const running: Promise<void>[] = [];
    for (let count = 0; count < steps && !isOver(); count += 1) {
      const step = this.#step({ ...life, isOver });
      running.push(step);
      const ended = step.catch(() => {
        hasFailed = true;
      });
      if (this.#prng.next() < 0.15) await ended;
      if (this.#prng.next() < 0.3) await turn();
    }
    await Promise.all(running);
    if (isOver()) return;
    for (const id of tableIds) await this.#sync(life, id);
  }

  #step(life: Life): Promise<void> {
    const at = this.#prng.next();
    const id = this.#prng.pick(tableIds);
    if (at < 0.65) return this.#edit(life, id, 'hard');
    if (at < 0.85) return this.#edit(life, id, 'soft');
    if (at < 0.9) return this.#syncs.run(() => this.#sync(life, id));
    if (at < 0.94) return life.database.settled();
    if (at < 0.97) return life.database.checkpoint();
    return Promise.resolve(life.clock.advance(20));
  }

  async #makeTables(life: Life): Promise<void> {
    for (const id of tableIds) {
      if (life.isOver()) return;
      if (!this.schema.newest.has(id)) await this.#makeTable(life, id);
    }
  }

  async #makeTable({ database, isOver }: Life, id: string): Promise<void> {
    this.tables.set(id, new RefusableTable());
    await this.#change(database, isOver, new Map([...this.schema.newest, [id, []]]), {
      type: 'createTable',
      format: 2,
      table: newTable(id, { shards: this.#prng.pick([1, 4]) }),
    });
    if (isOver()) return;
    const index = { name: 'v', multi: false, geo: false, definition: 'v' };
    await this.#change(database, isOver, new Map([...this.schema.newest, [id, ['v']]]), {
      type: 'createIndex',
      tableId: id,
      index,
    });
  }

  async #change(
    database: Database,
    isOver: () => boolean,
    after: Schema,
    command: Parameters<Database['change']>[0],
  ): Promise<void> {
    this.schema.sent(after);
    const result = await database.change(command);
    if ('type' in result) throw new Error(result.message);
    if (!isOver()) this.schema.acknowledged();
  }

  async #edit({ database, isOver }: Life, id: string, durability: 'hard' | 'soft'): Promise<void> {
    const served = database.table(id);
    const table = this.tables.get(id);
    if (served === undefined || table === undefined) return;
    const writes: (SentWrite | undefined)[] = [];
    const edits = this.#keys().map((key, at) => ({
      key: encodeUtf8(key),
      evaluate: (old: Datum): Datum => {
        const before = old === null ? undefined : JSON.stringify(old);
        const text = this.#prng.next() < 0.1 ? undefined : this.#document(key);
        // What changes nothing is no entry of the log.
        if (text === undefined && before === undefined) return old;
        writes[at] = table.send(key, before, text);
        return text === undefined ? null : (JSON.parse(text) as Datum);
      },
    }));
    const errors = await errorsOf(served, edits, durability);
    if (isOver()) return;
    const written = { table, writes: edits.map((_, at) => writes[at]) };
    this.#judge(written, errors, { id, durability });
  }

  #judge(
    { table, writes }: Written,
    errors: readonly (TableFailure | undefined)[],
    { id, durability }: { readonly id: string; readonly durability: 'hard' | 'soft' },
  ): void {
    for (const [at, write] of writes.entries()) {
      const error = errors[at];
      if (error !== undefined && !isRefused(error)) throw new Error(error.message);
      this.counts[error === undefined ? 'acknowledged' : 'refused'] += 1;
      if (write === undefined) continue;
      if (error !== undefined) table.refused(write);
      else if (durability === 'hard') table.durable(write);
      else this.#soft.set(id, [...(this.#soft.get(id) ?? []), write]);
    }
  }

  /** What was acknowledged softly is durable now, or the sync says that something is not. */
  async #sync({ database, isOver }: Life, id: string): Promise<void> {
    const served = database.table(id);
    const table = this.tables.get(id);
    const writes = this.#soft.get(id) ?? [];
    if (served === undefined || table === undefined) return;
    const [synced] = await Promise.allSettled([served.sync()]);
    if (isOver()) return;
    if (synced.status === 'fulfilled') {
      for (const write of writes) table.durable(write);
      this.#soft.set(id, (this.#soft.get(id) ?? []).slice(writes.length));
      return;
    }
    if (!isRefusal(synced.reason)) throw synced.reason;
    this.counts.lost += 1;
    this.#soft.delete(id);
  }

  /** One key after the other, some of them twice in an edit. */
  #keys(): string[] {
    const first = this.#prng.below(keys);
    const count = 1 + this.#prng.below(documentsMax);
    const distinct = 1 + this.#prng.below(count);
    return Array.from({ length: count }, (_, at) => `k${(first + (at % distinct)) % keys}`);
  }

  #document(id: string): string {
    this.#number += 1;
    const text = 'x'.repeat(this.#prng.below(textBytesMax));
    const document: Document = { id, n: this.#number, v: `v${this.#prng.below(values)}`, text };
    return JSON.stringify(document);
  }
}

/** For each edit why it was refused; undefined for one that was acknowledged. */
async function errorsOf(
  served: ShardedTable,
  edits: readonly ScriptedEdit[],
  durability: 'hard' | 'soft',
): Promise<(TableFailure | undefined)[]> {
  try {
    return (await editAll(served, edits, durability, signal)).map(({ error }) => error);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const failure = failureOf(error);
    return edits.map(() => failure);
  }
}
