import { expect } from 'chai';
import { writeApplied } from '../apply/applied-position.ts';
import { TouchedKeys } from '../apply/touched-keys.ts';
import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import { MemoryStore } from '../kv/memory-store.ts';
import { newTable } from '../metadata/testing/new-table.ts';
import { machineClock } from '../node/clock.ts';
import { encodeEnvelope, keyspaceKey } from '../table/envelope.ts';
import { StatisticsChange } from '../table/statistics.ts';
import { checkedParts } from './checked-parts.ts';
import { frameBodyBytes } from './frame.ts';
import { exportTable } from './table-export.ts';

const { signal } = new AbortController();
const keyspace = 3;
const key = encodeUtf8;

/** Puts a document as the log's entry of that index does. */
async function put(store: MemoryStore, name: string, index: number, bytes: number): Promise<void> {
  await store.write((transaction) => {
    const storedKey = keyspaceKey(keyspace, key(name));
    const change = new StatisticsChange(keyspace);
    const before = transaction.get('data', storedKey);
    if (before !== undefined) change.subtract(storedKey, before);
    const value = encodeEnvelope(storedKey, { version: index, body: new Uint8Array(bytes) });
    transaction.put('data', storedKey, value);
    change.add(storedKey, value);
    change.write(transaction);
    writeApplied(transaction, keyspace, { index, term: 1 });
  });
}

function open(store: MemoryStore, touched: TouchedKeys): AsyncGenerator<Uint8Array> {
  const { id: _id, databaseId: _databaseId, ...table } = newTable('t');
  const header = { database: 'd', table, indexes: [], keyspace };
  return exportTable({
    store,
    clock: machineClock,
    name: 'd.t',
    header,
    shards: [{ group: keyspace, keyspace, touched }],
    check: () => undefined,
    signal,
  });
}

/** The rows of the rest of a stream behind what was read of it: `key version`, in their order. */
async function rowsOf(read: Uint8Array[], rest: AsyncIterable<Uint8Array>): Promise<string[]> {
  for await (const piece of rest) read.push(piece);
  const rows: string[] = [];
  const pieces = (async function* () {
    await Promise.resolve();
    yield* read;
  })();
  for await (const part of checkedParts(pieces, signal)) {
    if (part.type !== 'rows') continue;
    for (const row of part.rows) {
      const version = row.value?.[6];
      rows.push(`${part.areNew ? '' : 'changed '}${decodeUtf8(row.key)} ${version ?? 'gone'}`);
    }
  }
  return rows;
}

describe('the stream of a table', () => {
  let store: MemoryStore;
  let touched: TouchedKeys;
  let stream: AsyncGenerator<Uint8Array>;
  let read: Uint8Array[];

  /** Preface, header, and the first document, which fills a piece. */
  beforeEach(async () => {
    store = new MemoryStore();
    touched = new TouchedKeys(10);
    await put(store, 'a', 1, frameBodyBytes);
    await put(store, 'b', 2, frameBodyBytes);
    stream = open(store, touched);
    read = [];
    for (let piece = 0; piece < 3; piece += 1) {
      read.push((await stream.next()).value as Uint8Array);
    }
  });

  const operation = (name: string) => ({ key: key(name), expectedVersion: 0, body: undefined });

  it('has a change that the store shows only some pieces after it was reported', async () => {
    touched.touch(3, [operation('a')]);
    read.push((await stream.next()).value as Uint8Array);
    await put(store, 'a', 3, 10);
    expect(await rowsOf(read, stream)).to.deep.equal(['a 1', 'changed a 1', 'b 2', 'changed a 3']);
  });

  it('has a change before the walk where the walk finds it, once', async () => {
    touched.touch(3, [operation('b')]);
    await put(store, 'b', 3, 10);
    expect(await rowsOf(read, stream)).to.deep.equal(['a 1', 'b 3']);
    expect(touched.all()).to.deep.equal([]);
  });

  it('has what was added behind the walk, and what was removed there', async () => {
    touched.touch(3, [operation('A'), operation('a')]);
    await put(store, 'A', 3, 10);
    await store.write((transaction) => {
      const storedKey = keyspaceKey(keyspace, key('a'));
      const change = new StatisticsChange(keyspace);
      change.subtract(storedKey, transaction.get('data', storedKey) ?? new Uint8Array());
      change.write(transaction);
      transaction.remove('data', storedKey);
    });
    const rows = await rowsOf(read, stream);
    expect(rows).to.deep.equal(['a 1', 'changed A 3', 'changed a gone', 'b 2']);
  });
});
