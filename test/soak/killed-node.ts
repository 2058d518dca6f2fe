import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import r from 'rethinkdb';
import type { WriteResult } from 'rethinkdb';
import { Prng } from '../../dataplane/common/prng.ts';
import { end, start } from '../drivers/serve.ts';
import type { Served } from '../drivers/serve.ts';
import { connect, contentOf, home, tables } from './load.ts';
import type { Ask, Content } from './load.ts';
import { SchemaWriter } from './schema-writer.ts';
import { WriteLedger } from './write-ledger.ts';
import type { Version } from './write-ledger.ts';

/**
 * A real node that writers, on connections of their own, keep under load until it is killed; and what
 * were acknowledged, kept outside of it.
 */
const connectionsMax = 4;
const writersPerConnection = 4;
const keysPerWriter = 60;
const batchMax = 16;
const sampleKeys = 300;
/** As a node on a machine of three cores has them. */
const workerFlags = ['--query-workers', '2'];
/** Of the kills that hit a node while it starts. */
const startMsMax = 700;

export class KilledNode {
  readonly ledger = new WriteLedger();
  /** From the start of a process to its ready line, each. */
  readonly startMs: number[] = [];
  killsAtStart = 0;
  readonly #directory: string;
  readonly #prng: Prng;
  readonly #schema: SchemaWriter;
  #version = 0;

  constructor(directory: string, seed: number) {
    this.#directory = directory;
    this.#prng = new Prng(seed);
    this.#schema = new SchemaWriter(this.ledger, this.#prng);
  }

  /**
   * Starts the node, looks at a sample of what it has (at everything when `isWhole`), writes until
   * so many keys were acknowledged and so long has passed, and kills it.
   */
  async round(
    about: string,
    load: { readonly count: number; readonly ms: number; readonly isWhole: boolean },
  ): Promise<void> {
    const served = await this.#start();
    const clients = await Promise.all(
      Array.from({ length: connectionsMax }, () => connect(served)),
    );
    const [first] = clients;
    if (first === undefined) throw new Error('no connection');
    if (this.#version === 0) await this.#makeTables(first.ask);
    await this.check(first.ask, about, load.isWhole);
    const enough = Promise.withResolvers<void>();
    const target = this.ledger.acknowledged + load.count;
    const acknowledged = (): void => {
      if (this.ledger.acknowledged >= target) enough.resolve();
    };
    const works = clients.flatMap(({ ask }, at) =>
      Array.from({ length: writersPerConnection }, (_, slot) =>
        this.#write(ask, at * writersPerConnection + slot, acknowledged),
      ),
    );
    works.push(this.#schema.work(first.ask));
    // A writer ends with its connection; one that ends before is a failure.
    const failure = Promise.all(works).then(
      () => undefined,
      (error: Error) => error,
    );
    const lasting = sleep(load.ms);
    await Promise.race([Promise.all([enough.promise, lasting]), failure]);
    await end(served, 'SIGKILL');
    await Promise.all(clients.map(({ closed }) => closed));
    expect((await failure)?.message, about).to.match(/connection (ended|is closed)/i);
    this.ledger.crashed();
  }

  /** Some kills hit a node that replays its log, or has only begun to. */
  async killAtStart(): Promise<void> {
    const { process: child, serving } = start(this.#directory, workerFlags);
    serving.catch(() => undefined);
    await sleep(this.#prng.below(startMsMax));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    this.killsAtStart += 1;
  }

  /** Everything is read once more, and the node stops on its own. */
  async finish(): Promise<number> {
    const served = await this.#start();
    const { ask } = await connect(served);
    const documents = await this.check(ask, 'at the end', true);
    expect(await end(served)).to.equal(0);
    return documents;
  }

  /** Answers how many documents it looked at. */
  async check(ask: Ask, about: string, isWhole: boolean): Promise<number> {
    let documents = 0;
    for (const table of tables) {
      documents += await (isWhole
        ? this.#checkAll(ask, table, about)
        : this.#sample(ask, table, about));
    }
    await this.#schema.check(ask, about);
    return documents;
  }

  async #start(): Promise<Served> {
    const began = performance.now();
    const served = await start(this.#directory, workerFlags).serving;
    this.startMs.push(performance.now() - began);
    return served;
  }

  async #makeTables(ask: Ask): Promise<void> {
    for (const table of tables) await ask(home.tableCreate(table));
  }

  async #write(ask: Ask, writer: number, acknowledged: () => void): Promise<never> {
    const table = tables[writer % tables.length] ?? tables[0];
    const name = `${table}/${writer}`;
    for (;;) {
      const count = this.#prng.next() < 0.15 ? 2 + this.#prng.below(batchMax - 1) : 1;
      const first = this.#prng.below(keysPerWriter - count + 1);
      const ids = Array.from({ length: count }, (_, at) => `${writer}-${first + at}`);
      const durability = this.#prng.next() < 0.2 ? 'soft' : 'hard';
      const isRemoval = this.#prng.next() < 0.15;
      const documents = ids.map((id) => contentOf(id, (this.#version += 1)));
      for (const { id, version } of documents) {
        this.ledger.sent(name, `${table}/${id}`, isRemoval ? undefined : version);
      }
      const { inserted, replaced, deleted, errors } = await ask<WriteResult>(
        isRemoval
          ? r
              .table(table)
              .getAll(...ids)
              .delete({ durability })
          : r.table(table).insert(documents, { durability, conflict: 'replace' }),
      );
      expect(errors, name).to.equal(0);
      // What changes nothing waits for nothing.
      if (durability === 'hard' && inserted + replaced + deleted > 0) this.ledger.durable(name);
      acknowledged();
    }
  }

  async #sample(ask: Ask, table: string, about: string): Promise<number> {
    const keys = this.ledger.keys(`${table}/`);
    if (keys.length === 0) return 0;
    const ids = new Set(
      Array.from({ length: sampleKeys }, () => this.#prng.pick(keys).slice(table.length + 1)),
    );
    const rows = await ask(
      r
        .table(table)
        .getAll(...ids)
        .coerceTo('array'),
    );
    this.#compare(table, rows as Content[], { ids, about });
    return ids.size;
  }

  async #checkAll(ask: Ask, table: string, about: string): Promise<number> {
    const rows = (await ask(r.table(table).coerceTo('array'))) as Content[];
    expect(await ask(r.table(table).count()), about).to.equal(rows.length);
    for (const { id } of rows) {
      expect(this.ledger.has(`${table}/${id}`), `${about}: ${id} is invented`).to.equal(true);
    }
    const ids = this.ledger.keys(`${table}/`).map((key) => key.slice(table.length + 1));
    this.#compare(table, rows, { ids, about });
    return rows.length;
  }

  #compare(
    table: string,
    rows: readonly Content[],
    { ids, about }: { readonly ids: Iterable<string>; readonly about: string },
  ): void {
    const found = new Map(rows.map((row) => [row.id, row]));
    expect(found.size, `${about}: a document twice`).to.equal(rows.length);
    for (const id of ids) {
      const row = found.get(id);
      const version: Version = row?.version;
      this.ledger.check(`${table}/${id}`, version, about);
      if (row !== undefined) {
        expect(row, about).to.deep.equal(contentOf(id, row.version));
      }
    }
  }
}
