import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import type { KeyRange } from '../kv/store.ts';
import { KeyOrder } from './key-order.ts';
import { LmdbStore } from './lmdb-store.ts';
import { machineClock } from '../node/clock.ts';

const bytes = (text: string): Uint8Array => encodeUtf8(text);

/** The keys that are let through, and what is said of the first that is not. */
function taken(keys: readonly string[], range: KeyRange): string {
  const order = new KeyOrder('index', range);
  const answered: string[] = [];
  try {
    for (const key of keys) {
      order.take(bytes(key));
      answered.push(key);
    }
    return answered.join(' ');
  } catch (error) {
    return `${answered.join(' ')}: ${(error as Error).message}`;
  }
}

const range = { start: bytes('b'), end: bytes('m') };
const reverse = { ...range, reverse: true };

describe('the keys of a walk', () => {
  it('pass in their order, both ways, within their bounds and without', () => {
    expect(taken(['b', 'bb', 'c', 'lz'], range)).to.equal('b bb c lz');
    expect(taken(['lz', 'c', 'bb', 'b'], reverse)).to.equal('lz c bb b');
    expect(taken(['', 'a', 'z'.repeat(300), 'zz'.repeat(300)], {})).to.contain('zzz');
  });

  for (const [title, keys, wanted, said] of [
    ['before the range', ['a', 'c'], range, /^: .* not in the range/],
    ['behind the range', ['c', 'm'], range, /^c: .* not in the range/],
    ['of another place in it', ['c', 'd', 'bz'], range, /^c d: .* behind the one before/],
    ['that came before', ['c', 'c'], range, /^c: .* behind the one before/],
    ['behind the range, on the way back', ['m', 'c'], reverse, /^: .* not in the range/],
    ['before the range, on the way back', ['c', 'a'], reverse, /^c: .* not in the range/],
    ['of another place, on the way back', ['c', 'd'], reverse, /^c: .* behind the one before/],
  ] as const) {
    it(`do not pass with one ${title}`, () => {
      expect(taken(keys, wanted)).to.match(said);
    });
  }

  it('are those of the walk alone when a bit in a page names another keyspace', async () => {
    const directory = join(mkdtempSync(join(tmpdir(), 'photondb-order-')), 'store');
    const store = new LmdbStore({ clock: machineClock, directory });
    await store.write((transaction) => {
      for (let n = 0; n < 10; n += 1) {
        transaction.put('index', bytes(`\0\0\0\u0001m${n}`), bytes('v'));
        transaction.put('index', bytes(`\0\0\0\u0003a${n}`), bytes('v'));
      }
    });
    await store.close();
    const file = join(directory, 'data.mdb');
    const content = readFileSync(file);
    const key = Buffer.from('\0\0\0\u0003a0');
    for (let at = content.indexOf(key); at >= 0; at = content.indexOf(key, at + 1)) {
      content[at + 3] = 1;
    }
    writeFileSync(file, content);
    const damaged = new LmdbStore({ clock: machineClock, directory });
    const seen: string[] = [];
    const walk = (): void =>
      damaged.read((view) =>
        view.walk(
          'index',
          { start: bytes('\0\0\0\u0001'), end: bytes('\0\0\0\u0002') },
          (found) => {
            seen.push(decodeUtf8(found, 4));
            return true;
          },
        ),
      );
    expect(walk)
      .to.throw('does not come behind the one before it')
      .with.property('code', 'storage.corrupt');
    expect(seen.every((name) => name.startsWith('m'))).to.equal(true);
    await damaged.close();
    rmSync(directory, { recursive: true });
  });
});
