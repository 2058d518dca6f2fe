import { expect } from 'chai';
import r from 'rethinkdb';
import { Prng } from '../../dataplane/common/prng.ts';
import { end, start } from '../drivers/serve.ts';
import { connect, home } from './load.ts';
import type { Ask, Client } from './load.ts';

/**
 * A real node that large inserts keep full, log and memtable: what is there is compared with what was
 * acknowledged, while nothing crashes and after a kill.
 */
const connectionsMax = 60;
const documentsMax = 200;
const textBytesMax = 12_000;
/** MiB: less than one round writes. */
const flags = ['--memtable-mib', '8'];
const table = 'full';

interface Changed {
  readonly changes: readonly {
    readonly new_val?: { readonly id: string };
    readonly error?: string;
  }[];
}

/** The types of the driver lack it. */
interface Syncable {
  sync(): Parameters<Ask>[0];
}

export class FullNode {
  readonly #directory: string;
  readonly #prng: Prng;
  /** Identifiers that were acknowledged as durable. */
  readonly #certain = new Set<string>();
  /** Sent, and not known to be there or not: softly, or when the node was killed. */
  #possible = new Set<string>();
  readonly counts = { acknowledged: 0, refused: 0 };
  #number = 0;

  constructor(directory: string, seed: number) {
    this.#directory = directory;
    this.#prng = new Prng(seed);
  }

  /** Writes and compares; kills the node in the middle of more when `isKilled`. */
  async round(about: string, isKilled: boolean): Promise<void> {
    const served = await start(this.#directory, flags).serving;
    const clients = await Promise.all(
      Array.from({ length: connectionsMax }, () => connect(served)),
    );
    const [first] = clients;
    if (first === undefined) throw new Error('no connection');
    if (this.#number === 0) await first.ask(home.tableCreate(table));
    await this.#compare(first.ask, `${about}, at the start`);
    await Promise.all(clients.map((client) => this.#insert(client)));
    await this.#sync(first.ask);
    await this.#compare(first.ask, `${about}, no crash`);
    if (isKilled) {
      const cut = Promise.allSettled(clients.map((client) => this.#insert(client)));
      await new Promise((resolve) => setTimeout(resolve, this.#prng.below(1_000)));
      await end(served, 'SIGKILL');
      await cut;
      return;
    }
    // Rounds do not fill the disk.
    await first.ask(r.table(table).delete());
    this.#certain.clear();
    await this.#compare(first.ask, `${about}, deleted`);
    expect(await end(served)).to.equal(0);
  }

  async #insert({ ask }: Client): Promise<void> {
    const count = 1 + this.#prng.below(documentsMax);
    const text = 'x'.repeat(this.#prng.below(textBytesMax));
    const ids = Array.from({ length: count }, () => `${(this.#number += 1)}`);
    for (const id of ids) this.#possible.add(id);
    const durability = this.#prng.next() < 0.2 ? 'soft' : 'hard';
    const documents = ids.map((id) => ({ id, text }));
    const options = { durability, returnChanges: 'always' } as const;
    const result = await ask(r.table(table).insert(documents, options));
    const { changes } = result as unknown as Changed;
    expect(result.inserted + result.errors).to.equal(count);
    const there = changes.filter(({ error }) => error === undefined);
    expect(there.length).to.equal(result.inserted);
    this.counts.acknowledged += result.inserted;
    this.counts.refused += result.errors;
    if (durability === 'soft') return;
    const acknowledged = new Set(there.map(({ new_val: document }) => document?.id ?? ''));
    for (const id of ids) {
      this.#possible.delete(id);
      if (acknowledged.has(id)) this.#certain.add(id);
    }
  }

  /** Without a refusal all soft writes are durable. */
  async #sync(ask: Ask): Promise<void> {
    try {
      await ask((r.table(table) as unknown as Syncable).sync());
    } catch (error) {
      expect((error as Error).message).to.contain('The write-ahead log is busy');
      return;
    }
    for (const id of this.#possible) this.#certain.add(id);
    this.#possible = new Set();
  }

  async #compare(ask: Ask, about: string): Promise<void> {
    const rows = await ask<string[]>(
      r
        .table(table)
        .map((row) => row('id'))
        .coerceTo('array') as never,
    );
    expect(await ask(r.table(table).count()), about).to.equal(rows.length);
    const there = new Set(rows);
    expect(there.size, `${about}: a document twice`).to.equal(rows.length);
    const missing = [...this.#certain].filter((id) => !there.has(id));
    expect(missing, `${about}: acknowledged and missing`).to.deep.equal([]);
    const invented = rows.filter((id) => !this.#certain.has(id) && !this.#possible.has(id));
    expect(invented, `${about}: refused and there`).to.deep.equal([]);
    for (const id of rows) this.#certain.add(id);
    this.#possible = new Set();
  }
}
