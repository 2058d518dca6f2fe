import { expect } from 'chai';
import { decodeUtf8, encodeUtf8 } from '../../common/bytes.ts';
import { MemoryStore } from '../../kv/memory-store.ts';
import { evenSlots } from '../../partition/hash-slots.ts';
import { encodeEnvelope, keyspaceKey } from '../../table/envelope.ts';
import type { BatchSource, EncodedRange, Row, TableAccess } from '../../wire/table-access.ts';
import { UnappliedBlock } from '../../wire/unapplied-block.ts';
import { DirectReads } from './direct-reads.ts';
import { directTable } from './direct-table.ts';
import { LocatedTable } from './table-layout.ts';

const [group, keyspace, version] = [4, 9, 2];
const names = ['a', 'b', 'c', 'd'];
const { signal } = new AbortController();
const oneRow = { rows: 1, bytes: 1_000 };

/** A table of one shard in a store, and what its core publishes and is asked for. */
class Bench {
  readonly block = new UnappliedBlock(group);
  looks = 0;
  /** Keys of the rows that the core was asked for, and the scans of it that were closed. */
  readonly asked: string[] = [];
  closed = 0;
  readonly #store = new MemoryStore();
  readonly reads = new DirectReads({
    store: this.#store,
    blocks: {
      read: () => {
        this.looks += 1;
        return new DataView(this.block.current().slice().buffer);
      },
    },
    isCoreThere: () => true,
  });
  readonly located = new LocatedTable('t', {
    epoch: 1,
    shards: [{ group, keyspace, slots: [evenSlots(0, 1)], version }],
    indexes: [],
  });

  static async open(): Promise<Bench> {
    const bench = new Bench();
    bench.block.version = version;
    await bench.#store.write((transaction) => {
      for (const name of names) bench.#put(transaction, name);
    });
    return bench;
  }

  #put(
    transaction: { put(database: 'data', key: Uint8Array, value: Uint8Array): void },
    name: string,
  ): void {
    const key = keyspaceKey(keyspace, encodeUtf8(name));
    const body = encodeUtf8(`{"id":"${name}"}`);
    transaction.put('data', key, encodeEnvelope(key, { version: 1, body }));
  }

  /** What breaks a value of the store. */
  async damage(name: string): Promise<void> {
    const key = keyspaceKey(keyspace, encodeUtf8(name));
    await this.#store.write((transaction) => transaction.put('data', key, encodeUtf8('broken')));
  }

  get table(): TableAccess {
    const remote: Partial<TableAccess> = { scan: (range) => this.#remote(range) };
    return directTable(remote as TableAccess, this.located, this.reads);
  }

  #remote({ start }: EncodedRange): BatchSource<Row> {
    const begin = start === undefined ? '' : decodeUtf8(start);
    const left = names.filter((name) => name >= begin);
    return {
      next: () => {
        const name = left.shift();
        if (name === undefined) return Promise.resolve(undefined);
        this.asked.push(name);
        return Promise.resolve([{ key: encodeUtf8(name), text: `{"id":"${name}"}` }]);
      },
      close: () => {
        this.closed += 1;
      },
    };
  }
}

const nameOf = (rows: readonly Row[] | undefined): string | undefined =>
  rows === undefined ? undefined : rows.map(({ key }) => decodeUtf8(key)).join();

describe('a scan of a query worker', () => {
  it('looks once for each batch at what the core has published', async () => {
    const bench = await Bench.open();
    const scan = bench.table.scan({}, 'ascending');
    const found: (string | undefined)[] = [];
    for (let left = names.length; left > 0; left -= 1)
      found.push(nameOf(await scan.next(oneRow, signal)));
    expect([found, bench.looks, bench.asked]).to.deep.equal([names, names.length, []]);
    expect(await scan.next(oneRow, signal)).to.equal(undefined);
  });

  it('asks the core for a batch while the store lacks a write, and reads the next one itself', async () => {
    const bench = await Bench.open();
    const scan = bench.table.scan({}, 'ascending');
    expect(nameOf(await scan.next(oneRow, signal))).to.equal('a');
    bench.block.add(encodeUtf8('x'));
    expect(nameOf(await scan.next(oneRow, signal))).to.equal('b');
    expect(nameOf(await scan.next(oneRow, signal))).to.equal('c');
    expect([bench.asked, bench.closed]).to.deep.equal([['b', 'c'], 0]);
    bench.block.remove(encodeUtf8('x'));
    expect(nameOf(await scan.next(oneRow, signal))).to.equal('d');
    expect([bench.asked, bench.closed]).to.deep.equal([['b', 'c'], 1]);
    expect(await scan.next(oneRow, signal)).to.equal(undefined);
    scan.close();
  });

  it('asks the core while it has not answered a write of this worker', async () => {
    const bench = await Bench.open();
    const { promise, resolve } = Promise.withResolvers<void>();
    const written = bench.reads.write(bench.located, [{ key: encodeUtf8('x') }], () => promise);
    const scan = bench.table.scan({}, 'ascending');
    expect(nameOf(await scan.next(oneRow, signal))).to.equal('a');
    expect([bench.asked, bench.looks]).to.deep.equal([['a'], 0]);
    resolve();
    await written;
    expect(nameOf(await scan.next(oneRow, signal))).to.equal('b');
    expect([bench.asked, bench.looks]).to.deep.equal([['a'], 1]);
  });

  it('leaves the rest to the core behind a value that is damaged', async () => {
    const bench = await Bench.open();
    await bench.damage('b');
    const scan = bench.table.scan({}, 'ascending');
    const found: (string | undefined)[] = [];
    for (let left = names.length; left > 0; left -= 1)
      found.push(nameOf(await scan.next(oneRow, signal)));
    expect([found, bench.asked]).to.deep.equal([names, ['b', 'c', 'd']]);
  });
});
