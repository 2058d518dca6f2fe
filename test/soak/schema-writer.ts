import { expect } from 'chai';
import r from 'rethinkdb';
import type { Prng } from '../../dataplane/common/prng.ts';
import { contentOf, home, partsMax, tables } from './load.ts';
import type { Ask, Content } from './load.ts';
import type { WriteLedger } from './write-ledger.ts';

/** Makes and drops indexes and whole tables while others write, and knows which of them must be there. */
const writer = 'schema';
const indexesMax = 4;
const rowsOfATable = 40;
const [indexed] = tables;

export class SchemaWriter {
  readonly #ledger: WriteLedger;
  readonly #prng: Prng;
  #next = 0;

  constructor(ledger: WriteLedger, prng: Prng) {
    this.#ledger = ledger;
    this.#prng = prng;
  }

  /** Until the connection ends. */
  async work(ask: Ask): Promise<never> {
    for (;;) {
      const indexes = this.#there('index/');
      const made = this.#there('table/');
      const isOfIndexes = this.#prng.next() < 0.5;
      if (isOfIndexes && indexes.length < indexesMax) await this.#createIndex(ask);
      else if (isOfIndexes) await this.#dropIndex(ask, this.#prng.pick(indexes));
      else if (made.length === 0) await this.#createTable(ask);
      else await this.#dropTable(ask, this.#prng.pick(made));
    }
  }

  /** Every index that was acknowledged is there, gets ready, and has each document of its table once. */
  async check(ask: Ask, about: string): Promise<void> {
    const listed = new Set(await ask<string[]>(r.table(indexed).indexList()));
    const names = this.#ledger.keys('index/').map((key) => key.slice('index/'.length));
    for (const name of names) {
      this.#ledger.check(`index/${name}`, listed.has(name) ? 1 : undefined, about);
    }
    await ask(r.table(indexed).indexWait());
    const count = await ask(r.table(indexed).count());
    for (const index of listed) {
      expect(names, `${about}: an invented index`).to.include(index);
      const walk = r.table(indexed).between(0, partsMax, { index });
      const parts = (await ask(walk.map((row) => row('part')).coerceTo('array'))) as number[];
      expect(parts.length, `${about}: index ${index}`).to.equal(count);
      expect(parts, `${about}: index ${index}`).to.deep.equal(parts.toSorted((a, b) => a - b));
    }
    await this.#checkTables(ask, about);
  }

  async #checkTables(ask: Ask, about: string): Promise<void> {
    const listed = new Set(await ask<string[]>(home.tableList()));
    for (const key of this.#ledger.keys('table/')) {
      const name = key.slice('table/'.length);
      this.#ledger.check(key, listed.has(name) ? 1 : undefined, about);
      if (!listed.has(name)) {
        this.#ledger.forget(`${name}/`);
        continue;
      }
      const rows = (await ask(r.table(name).coerceTo('array'))) as Content[];
      const found = new Map(rows.map((row) => [`${name}/${row.id}`, row.version]));
      for (const document of this.#ledger.keys(`${name}/`)) {
        this.#ledger.check(document, found.get(document), about);
      }
      expect(rows.length, about).to.be.at.most(rowsOfATable);
    }
  }

  #there(prefix: string): string[] {
    const keys = this.#ledger.keys(prefix);
    return keys
      .filter((key) => this.#ledger.certain(key) !== undefined)
      .map((key) => key.slice(prefix.length));
  }

  async #createIndex(ask: Ask): Promise<void> {
    const name = this.#name('i');
    this.#ledger.sent(writer, `index/${name}`, 1);
    await ask(r.table(indexed).indexCreate(name, r.row('part')));
    this.#ledger.durable(writer);
    // Half of the kills find it being built.
    if (this.#prng.next() < 0.5) await ask(r.table(indexed).indexWait(name));
  }

  async #dropIndex(ask: Ask, name: string): Promise<void> {
    this.#ledger.sent(writer, `index/${name}`, undefined);
    await ask(r.table(indexed).indexDrop(name));
    this.#ledger.durable(writer);
  }

  async #createTable(ask: Ask): Promise<void> {
    const name = this.#name('t');
    this.#ledger.sent(writer, `table/${name}`, 1);
    await ask(home.tableCreate(name));
    this.#ledger.durable(writer);
    const documents = Array.from({ length: rowsOfATable }, (_, at) => contentOf(`${at}`, 1));
    for (const { id, version } of documents) this.#ledger.sent(name, `${name}/${id}`, version);
    await ask(r.table(name).insert(documents));
    this.#ledger.durable(name);
  }

  async #dropTable(ask: Ask, name: string): Promise<void> {
    this.#ledger.sent(writer, `table/${name}`, undefined);
    await ask(home.tableDrop(name));
    this.#ledger.durable(writer);
    this.#ledger.forget(`${name}/`);
  }

  #name(letter: string): string {
    this.#next += 1;
    return `${letter}${this.#next}`;
  }
}
