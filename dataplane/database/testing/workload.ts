import { editAll } from './edits.ts';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { encodeUtf8 } from '../../common/bytes.ts';
import type { Prng } from '../../common/prng.ts';
import type { MetadataCommand } from '../../metadata/command.ts';
import { newTable } from '../../metadata/testing/new-table.ts';
import type { ManualClock } from '../../wal/testing/manual-clock.ts';
import type { Database } from '../database.ts';
import { SchemaModel } from './model.ts';
import type { Schema } from './model.ts';
import { ShardedChange, ShardedModel } from './sharded-model.ts';

/** What a step works on: a database that runs until its power goes. */
export interface Life {
  readonly database: Database;
  readonly clock: ManualClock;
  /** From the cut on nothing is acknowledged. */
  readonly isOver: () => boolean;
}

export interface Document {
  readonly id: string;
  readonly v: string;
  /** Of all that was ever written: no two documents are the same. */
  readonly n: number;
  readonly text: string;
}

const tablesMax = 3;
const indexesMax = 2;
const keys = 24;
const values = 7;
const batchMax = 8;
const waitMsMax = 10_000;
const signal = new AbortController().signal;

/** Waits until indexes are built, what was dropped is gone, and the store has everything. */
export async function quiet(database: Database): Promise<void> {
  const isBusy = (): boolean =>
    database.state.garbage.length > 0 ||
    Object.values(database.state.tables).some(({ indexes }) => indexes.some(({ ready }) => !ready));
  while (isBusy()) await database.changed(AbortSignal.timeout(waitMsMax));
  await database.settled();
}

/** Steps of a random workload over all that a database does, and a model of what it may have. */
export class Workload {
  readonly schema = new SchemaModel();
  readonly tables = new Map<string, ShardedModel>();
  readonly #prng: Prng;
  #number = 0;
  #changing: Promise<unknown> = Promise.resolve();

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  /**
   * Steps overlap; it resolves when all have ended, and rejects with the first that failed: from then on
   * it believes nothing any more.
   */
  async run({ isOver, ...rest }: Life, steps: number): Promise<void> {
    let hasFailed = false;
    const life = { ...rest, isOver: () => hasFailed || isOver() };
    const running: Promise<unknown>[] = [];
    this.#changing = Promise.resolve();
    for (let count = 0; count < steps && !life.isOver(); count += 1) {
      const ended = this.#pick()(life);
      ended.catch(() => (hasFailed = true));
      running.push(ended);
      if (this.#prng.next() < 0.4) await ended;
      if (this.#prng.next() < 0.3) await turn();
    }
    await Promise.all(running);
  }

  /** What may happen, and how often beside the others. */
  readonly #steps: readonly (readonly [weight: number, step: (life: Life) => Promise<unknown>])[] =
    [
      [30, (life) => this.#edit(life, { count: 1, durability: 'hard' })],
      [15, (life) => this.#edit(life, { count: 1, durability: 'soft' })],
      [
        10,
        (life) => this.#edit(life, { count: 2 + this.#prng.below(batchMax), durability: 'hard' }),
      ],
      [
        3,
        (life) => this.#edit(life, { count: 2 + this.#prng.below(batchMax), durability: 'soft' }),
      ],
      [4, (life) => this.#change(life, (schema) => this.#createTable(schema))],
      [2, (life) => this.#change(life, (schema) => this.#dropTable(schema))],
      [4, (life) => this.#change(life, (schema) => this.#createIndex(schema))],
      [2, (life) => this.#change(life, (schema) => this.#dropIndex(schema))],
      [3, (life) => this.#copyTable(life)],
      [6, (life) => life.database.settled()],
      [6, (life) => life.database.checkpoint()],
      [3, (life) => quiet(life.database)],
      // The log seals what stood still for a while.
      [6, async (life) => life.clock.advance(20)],
    ];

  #pick(): (life: Life) => Promise<unknown> {
    let left = this.#prng.below(this.#steps.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, step] of this.#steps) {
      left -= weight;
      if (left < 0) return step;
    }
    throw new Error('weights do not add up');
  }

  async #edit(
    { database, isOver }: Life,
    { count, durability }: { readonly count: number; readonly durability: 'hard' | 'soft' },
  ): Promise<void> {
    const id = this.#one([...this.schema.newest.keys()]);
    const table = id === undefined ? undefined : database.table(id);
    const model = id === undefined ? undefined : this.tables.get(id);
    if (table === undefined || model?.isKnown !== true) return;
    const change = new ShardedChange();
    const edits = this.#keys(count).map((key) => {
      const text = this.#prng.next() < 0.25 ? undefined : this.#document(key);
      const evaluate = (old: unknown): never => {
        const known = model.newest(key);
        if (known !== (old === null ? undefined : JSON.stringify(old))) {
          throw new Error(`${key} is ${JSON.stringify(old)}, and not ${known}`);
        }
        // What changes nothing is no entry of the log.
        if (text === undefined && old === null) return old as never;
        model.set(change, key, text);
        return (text === undefined ? null : JSON.parse(text)) as never;
      };
      return { key: encodeUtf8(key), evaluate };
    });
    for (const { error } of await editAll(table, edits, durability, signal)) {
      if (error !== undefined) throw new Error(error.message);
    }
    if (durability === 'hard' && !isOver()) model.acknowledged(change);
  }

  /** One change of tables and indexes after the other: each builds on the one before. */
  #change(
    { database, isOver }: Life,
    after: (schema: Schema) => readonly [MetadataCommand, Schema] | undefined,
  ): Promise<void> {
    return this.#inTurn(async () => {
      const step = isOver() ? undefined : after(this.schema.newest);
      if (step === undefined) return;
      const [command, schema] = step;
      this.schema.sent(schema);
      const result = await database.change(command);
      if ('type' in result) throw new Error(result.message);
      if (!isOver()) this.schema.acknowledged();
    });
  }

  /** Nothing follows what failed: whether it is there is not known. */
  #inTurn(change: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(change);
    this.#changing = changed;
    return changed;
  }

  /** A copy of a table that others write to meanwhile, by an export and an import of it. */
  #copyTable({ database, isOver }: Life): Promise<void> {
    return this.#inTurn(async () => {
      const schema = this.schema.newest;
      const from = this.#one([...schema.keys()].filter((id) => this.tables.get(id)?.isKnown));
      const table = from === undefined ? undefined : database.state.tables[from];
      const model = from === undefined ? undefined : this.tables.get(from);
      if (isOver() || table === undefined || model === undefined) return;
      if (schema.size >= tablesMax) return;
      const atStart = model.certainEntries;
      const pieces: Uint8Array[] = [];
      for await (const piece of database.transfers.export(table, signal)) pieces.push(piece);
      const id = `t${(this.#number += 1)}`;
      this.tables.set(id, model.between(atStart));
      this.schema.sent(new Map([...schema, [id, schema.get(table.id) ?? []]]));
      const request = { id, as: { database: 'd', table: id }, refusal: () => undefined };
      await database.transfers.import(Readable.from(pieces), request, signal);
      if (!isOver()) this.schema.acknowledged();
    });
  }

  #createTable(schema: Schema): readonly [MetadataCommand, Schema] | undefined {
    if (schema.size >= tablesMax) return undefined;
    const id = `t${(this.#number += 1)}`;
    const shards = this.#prng.pick([1, 1, 2, 4]);
    this.tables.set(id, new ShardedModel(shards));
    return [
      { type: 'createTable', format: 2, table: newTable(id, { shards }) },
      new Map([...schema, [id, []]]),
    ];
  }

  #dropTable(schema: Schema): readonly [MetadataCommand, Schema] | undefined {
    const id = this.#one([...schema.keys()]);
    if (id === undefined) return undefined;
    return [{ type: 'dropTable', id }, new Map([...schema].filter(([each]) => each !== id))];
  }

  #createIndex(schema: Schema): readonly [MetadataCommand, Schema] | undefined {
    const tableId = this.#one(
      [...schema.keys()].filter((id) => (schema.get(id)?.length ?? 0) < indexesMax),
    );
    if (tableId === undefined) return undefined;
    const name = `i${(this.#number += 1)}`;
    const index = { name, multi: false, geo: false, definition: 'v' };
    const indexes = [...(schema.get(tableId) ?? []), name];
    return [{ type: 'createIndex', tableId, index }, new Map([...schema, [tableId, indexes]])];
  }

  #dropIndex(schema: Schema): readonly [MetadataCommand, Schema] | undefined {
    const tableId = this.#one([...schema.keys()].filter((id) => (schema.get(id)?.length ?? 0) > 0));
    if (tableId === undefined) return undefined;
    const all = schema.get(tableId) ?? [];
    const name = this.#prng.pick(all);
    const indexes = all.filter((each) => each !== name);
    return [{ type: 'dropIndex', tableId, name }, new Map([...schema, [tableId, indexes]])];
  }

  #one<T>(items: readonly T[]): T | undefined {
    return items.length === 0 ? undefined : this.#prng.pick(items);
  }

  #keys(count: number): string[] {
    const first = this.#prng.below(keys);
    return Array.from({ length: count }, (_, at) => `k${(first + at) % keys}`);
  }

  #document(id: string): string {
    this.#number += 1;
    const size = this.#prng.next() < 0.05 ? 3_000 : this.#prng.below(200);
    const document: Document = {
      id,
      v: `v${this.#prng.below(values)}`,
      n: this.#number,
      text: 'x'.repeat(size),
    };
    return JSON.stringify(document);
  }
}
