import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { Prng } from '../common/prng.ts';
import { MemoryStore } from '../kv/memory-store.ts';
import type { WriteTransaction } from '../kv/store.ts';
import { applyCommand } from '../table/apply.ts';
import type { AppliedIndex } from '../table/apply.ts';
import { keyspaceKey } from '../table/envelope.ts';
import { KeyspaceScrub } from '../table/keyspace-scrub.ts';
import type { ScrubTarget } from '../table/keyspace-scrub.ts';
import type { KeyspaceWalk } from '../table/keyspace-walk.ts';
import { StatisticsChanges, writeStatistics } from '../table/statistics.ts';

const index: AppliedIndex = { keyspace: 2, keysOf: (text) => [encodeUtf8(text.slice(0, 2))] };
const problemOf = (): undefined => undefined;
const rows: ScrubTarget = { type: 'table', keyspace: 1, indexes: [index], problemOf };
const entries: ScrubTarget = { type: 'index', keyspace: 2, tableKeyspace: 1, index };

/** A table with an index, to which commands are applied while it is scrubbed. */
class Table {
  readonly store = new MemoryStore();
  readonly walks = new Map<number, KeyspaceWalk>();
  readonly #versions = new Map<string, number>();
  #version = 0;

  async begin(): Promise<void> {
    await this.store.write((transaction) => writeStatistics(transaction, index.keyspace));
  }

  async edit(key: string, body: string | undefined): Promise<void> {
    this.#version += 1;
    const version = this.#version;
    const expectedVersion = this.#versions.get(key) ?? 0;
    const bytes = body === undefined ? undefined : encodeUtf8(body);
    const operations = [{ key: encodeUtf8(key), expectedVersion, body: bytes }];
    await this.store.write((transaction) => {
      const statistics = new StatisticsChanges(this.walks);
      const command = { keyspace: 1, version, operations };
      applyCommand(command, { transaction, indexes: [index], statistics });
      statistics.write(transaction);
    });
    if (body === undefined) this.#versions.delete(key);
    else this.#versions.set(key, version);
  }

  /** Runs `between` after each slice of a few rows. */
  async scrub(target: ScrubTarget, prng: Prng, between = async () => {}): Promise<string[]> {
    const scrub = new KeyspaceScrub(target);
    this.walks.set(target.keyspace, scrub.walk);
    const limit = { rows: 1 + prng.below(5), isOver: () => prng.next() < 0.1 };
    while (await this.store.write((transaction) => scrub.slice(transaction, limit))) {
      await between();
    }
    this.walks.delete(target.keyspace);
    return scrub.findings.map(({ keyspace, what }) => `${keyspace}: ${what}`);
  }
}

const editAny = (table: Table, prng: Prng): Promise<void> =>
  table.edit(`k${prng.below(40)}`, prng.next() < 0.3 ? undefined : `${prng.below(99)} of it`);

async function filled(prng: Prng): Promise<Table> {
  const table = new Table();
  await table.begin();
  for (let count = 0; count < 60; count += 1) await editAny(table, prng);
  return table;
}

describe('the scrub of a keyspace', () => {
  it('finds nothing in what is whole, whatever is written between its slices', async () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const prng = new Prng(seed);
      const table = await filled(prng);
      const between = async (): Promise<void> => {
        for (let left = prng.below(6); left > 0; left -= 1) await editAny(table, prng);
      };
      for (const target of [rows, entries]) {
        expect(await table.scrub(target, prng, between), `seed ${seed}`).to.deep.equal([]);
      }
    }
  });

  it('finds each row or entry that is lost, invented, changed or an older one', async () => {
    const harms: Record<string, (t: WriteTransaction, key: Uint8Array, old: Uint8Array) => void> = {
      lost: (t, key) => void t.remove(key[3] === 1 ? 'data' : 'index', key),
      changed: (t, key, old) => {
        const value = new Uint8Array(old);
        value[value.byteLength - 1] = (value.at(-1) ?? 0) ^ 1;
        t.put(key[3] === 1 ? 'data' : 'index', key, value);
      },
      invented: (t, key, old) => {
        const other = new Uint8Array([...key, 0x7a]);
        t.put(key[3] === 1 ? 'data' : 'index', other, old);
      },
    };
    for (let seed = 1; seed <= 10; seed += 1) {
      for (const [name, harm] of Object.entries(harms)) {
        for (const target of [rows, entries]) {
          const prng = new Prng(seed);
          const table = await filled(prng);
          const database = target.type === 'table' ? 'data' : 'index';
          await table.store.write((transaction) => {
            const all = [...transaction.entries(database, {})];
            const { key, value } = prng.pick(all);
            harm(transaction, key, value);
          });
          const found = await table.scrub(target, prng);
          expect(found.length, `${name} ${target.type} seed ${seed}`).to.be.greaterThan(0);
        }
      }
    }
  });

  it('finds a document of before, which is whole in itself', async () => {
    const table = new Table();
    await table.begin();
    await table.edit('a', '1');
    const key = keyspaceKey(1, encodeUtf8('a'));
    const before = table.store.read((view) => view.get('data', key));
    await table.edit('a', '1 again');
    await table.edit('a', '1');
    await table.store.write((transaction) => transaction.put('data', key, before as Uint8Array));
    const found = await table.scrub(rows, new Prng(1));
    expect(found).to.have.length(1);
    expect(found[0]).to.contain('it has 1 rows');
  });

  it('says which index lacks the entry of a document', async () => {
    const table = await filled(new Prng(3));
    await table.store.write((transaction) => {
      for (const { key } of transaction.entries('index', { limit: 1 })) {
        transaction.remove('index', key);
      }
    });
    const found = await table.scrub(rows, new Prng(1));
    expect(found).to.have.length(1);
    expect(found[0]).to.match(/^2: it lacks the entry/);
  });
});
