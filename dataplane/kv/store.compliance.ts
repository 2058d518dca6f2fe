import { expect } from 'chai';
import { encodeUtf8, decodeUtf8 } from '../common/bytes.ts';
import type { KeyRange, Store } from './store.ts';

const key = encodeUtf8;

async function fill(store: Store, names: readonly string[]): Promise<void> {
  await store.write((transaction) => {
    for (const name of names) transaction.put('data', key(name), key(`value of ${name}`));
  });
}

const keysOf = (store: Store, range: KeyRange): string[] =>
  store.read((transaction) =>
    [...transaction.entries('data', range)].map((entry) => decodeUtf8(entry.key)),
  );

/** What every store promises (kv/store.ts). `open` makes an empty one. */
export function storeCompliance(open: () => Promise<Store>): void {
  let store: Store;

  beforeEach(async () => {
    store = await open();
  });

  afterEach(async () => {
    await store.close();
  });

  it('answers what was put, and nothing for what was not', async () => {
    await fill(store, ['a']);
    const [a, b] = store.read((view) => [view.get('data', key('a')), view.get('data', key('b'))]);
    expect(decodeUtf8(a ?? key(''))).to.equal('value of a');
    expect(b).to.equal(undefined);
  });

  it('keeps its databases apart', async () => {
    await fill(store, ['a']);
    expect(store.read((view) => view.get('index', key('a')))).to.equal(undefined);
  });

  it('walks half-open ranges forwards and backwards, with a limit', async () => {
    await fill(store, ['b', 'd', 'a', 'c', 'e']);
    const [start, end] = [key('b'), key('e')];
    expect(keysOf(store, { start, end })).to.deep.equal(['b', 'c', 'd']);
    expect(keysOf(store, { start, end, reverse: true })).to.deep.equal(['d', 'c', 'b']);
    expect(keysOf(store, { start, limit: 2 })).to.deep.equal(['b', 'c']);
    expect(keysOf(store, { reverse: true, limit: 1 })).to.deep.equal(['e']);
    expect(keysOf(store, { start: end, end: start })).to.deep.equal([]);
    expect(keysOf(store, { start: key('bb'), end: key('cc') })).to.deep.equal(['c']);
  });

  it('orders keys by unsigned bytes, zero bytes and prefixes included', async () => {
    const keys = [[0xff], [0x00], [0x7f, 0x00], [0x7f], [0x80], [0x00, 0x00]];
    await store.write((transaction) => {
      for (const bytes of keys) transaction.put('data', new Uint8Array(bytes), key('x'));
    });
    const found = store.read((view) =>
      [...view.entries('data', {})].map((entry) => [...entry.key]),
    );
    expect(found).to.deep.equal([[0x00], [0x00, 0x00], [0x7f], [0x7f, 0x00], [0x80], [0xff]]);
  });

  it('shows a transaction its own writes, in gets and in ranges', async () => {
    await fill(store, ['a', 'b', 'c']);
    const seen = await store.write((transaction) => {
      transaction.put('data', key('bb'), key('new'));
      expect(transaction.remove('data', key('a'))).to.equal(true);
      expect(transaction.remove('data', key('nothing'))).to.equal(false);
      transaction.put('data', key('c'), key('changed'));
      expect(transaction.get('data', key('a'))).to.equal(undefined);
      return [...transaction.entries('data', {})].map(
        (entry) => `${decodeUtf8(entry.key)}=${decodeUtf8(entry.value)}`,
      );
    });
    expect(seen).to.deep.equal(['b=value of b', 'bb=new', 'c=changed']);
    expect(keysOf(store, {})).to.deep.equal(['b', 'bb', 'c']);
    expect(keysOf(store, { reverse: true, limit: 2 })).to.deep.equal(['c', 'bb']);
  });

  it('runs writes in the order of their calls, each on what the one before left', async () => {
    const increment = (): Promise<number> =>
      store.write((transaction) => {
        const next = (transaction.get('meta', key('n'))?.[0] ?? 0) + 1;
        transaction.put('meta', key('n'), new Uint8Array([next]));
        return next;
      });
    const results = await Promise.all(Array.from({ length: 20 }, increment));
    expect(results).to.deep.equal(Array.from({ length: 20 }, (_, at) => at + 1));
  });

  it('takes back all of a write that throws, and goes on', async () => {
    await fill(store, ['a']);
    const writes = [
      store.write((transaction) => transaction.put('data', key('b'), key('b'))),
      store
        .write((transaction) => {
          transaction.put('data', key('x'), key('x'));
          transaction.remove('data', key('a'));
          throw new Error('changed my mind');
        })
        .then(
          () => 'accepted',
          (error: Error) => error.message,
        ),
      store.write((transaction) => transaction.put('data', key('c'), key('c'))),
    ];
    const [, refused] = await Promise.all(writes);
    expect(refused).to.equal('changed my mind');
    expect(keysOf(store, {})).to.deep.equal(['a', 'b', 'c']);
  });

  it('answers values that the caller owns', async () => {
    await fill(store, ['a']);
    const value = store.read((view) => view.get('data', key('a')));
    value?.fill(0);
    const again = store.read((view) => view.get('data', key('a')));
    expect(decodeUtf8(again ?? key(''))).to.equal('value of a');
  });

  it('answers values of every size, owned and borrowed', async () => {
    const sizes = [0, 1, 300, 4_095, 4_096, 40_000, 1_048_576, 9_000_000];
    await store.write((transaction) => {
      for (const [at, size] of sizes.entries()) {
        transaction.put('data', new Uint8Array([at]), new Uint8Array(size).fill(at + 1));
      }
    });
    const isWhole = (at: number, value: Uint8Array | undefined): boolean =>
      value !== undefined &&
      value.byteLength === sizes[at] &&
      value.every((byte) => byte === at + 1);
    store.read((view) => {
      for (const at of sizes.keys()) {
        const name = new Uint8Array([at]);
        expect(isWhole(at, view.get('data', name)), `get ${sizes[at]}`).to.equal(true);
        expect(isWhole(at, view.peek('data', name)), `peek ${sizes[at]}`).to.equal(true);
      }
      for (const reverse of [false, true]) {
        const seen: number[] = [];
        view.walk('data', { reverse }, (name, value) => {
          expect(isWhole(name[0] ?? -1, value), `walk ${sizes[name[0] ?? -1]}`).to.equal(true);
          seen.push(name[0] ?? -1);
          return seen.length < 6;
        });
        const wanted = [...sizes.keys()];
        expect(seen).to.deep.equal((reverse ? wanted.toReversed() : wanted).slice(0, 6));
      }
    });
  });

  it('walks while other things are read', async () => {
    await fill(store, ['a', 'b', 'c']);
    const seen: string[] = [];
    store.read((view) =>
      view.walk('data', {}, (name, value) => {
        const own = `${decodeUtf8(name)}: ${decodeUtf8(value)}`;
        const other = decodeUtf8(view.peek('data', key('b')) ?? key(''));
        seen.push(`${own}, ${other}`);
        return true;
      }),
    );
    expect(seen).to.deep.equal([
      'a: value of a, value of b',
      'b: value of b, value of b',
      'c: value of c, value of b',
    ]);
  });

  it('keeps a snapshot as it was', async () => {
    await fill(store, ['a', 'b']);
    using snapshot = store.snapshot();
    await store.write((transaction) => {
      transaction.remove('data', key('a'));
      transaction.put('data', key('c'), key('c'));
    });
    const seen = [...snapshot.entries('data', {})].map((entry) => decodeUtf8(entry.key));
    expect(seen).to.deep.equal(['a', 'b']);
    expect(snapshot.get('data', key('c'))).to.equal(undefined);
    expect(keysOf(store, {})).to.deep.equal(['b', 'c']);
  });

  it('says when everything is on the medium', async () => {
    await fill(store, ['a']);
    await store.flushed();
  });
}
