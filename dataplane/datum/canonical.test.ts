import { expect } from 'chai';
import * as fc from 'fast-check';
import { compareBytes } from '../common/bytes.ts';
import { isCanonical } from './canonical.ts';
import type { Datum, DatumObject } from './datum.ts';
import { encodeKey } from './key.ts';
import { datumDepthMax } from './limits.ts';
import { withField } from './object.ts';
import { isPrimaryKey } from './primary-key.ts';
import { canonicalText } from './text.ts';
import { documents } from './testing/arbitrary.ts';

/** The same value with its fields the other way round: its text is written part by part. */
function reversed(datum: Datum): Datum {
  if (typeof datum !== 'object' || datum === null) return datum;
  if (Array.isArray(datum)) return (datum as Datum[]).map(reversed);
  const object = Object.create(null) as Record<string, Datum>;
  for (const [name, value] of Object.entries(datum).reverse()) object[name] = reversed(value);
  return object;
}

describe('canonical values', () => {
  it('have one text, whichever way it is written', () => {
    fc.assert(
      fc.property(documents, (document) => {
        const text = canonicalText(document);
        expect(canonicalText(reversed(document))).to.equal(text);
        if (isCanonical(document)) expect(JSON.stringify(document)).to.equal(text);
      }),
    );
  });

  it('are those whose JSON is their text', () => {
    const shared: Datum[] = [];
    let doubled: Datum = shared;
    for (let at = 0; at < 60; at += 1) doubled = [doubled, doubled];
    let deep: Datum = 0;
    for (let at = 0; at < datumDepthMax + 1; at += 1) deep = [deep];
    class Stream {
      readonly a = 1;
    }
    const others: readonly unknown[] = [
      { b: 1, a: 2 },
      { a: [{ é: 1, e: 2 }] },
      { '10': 1, '9': 2 },
      { '': 1, a: -0 },
      { b: 1, '': 2 },
      [-0],
      [Number.NaN],
      { a: 1 / 0 },
      { a: undefined },
      [() => 1],
      Array(3),
      new Stream(),
      [new Date(0)],
      ['\ud800'],
      { '\udc00': 1 },
      { '\uffff': 1, '\u{10000}': 2, a: 3 },
      doubled,
      deep,
    ];
    for (const value of others) expect(isCanonical(value as DatumObject)).to.equal(false);
    const canonical: readonly unknown[] = [
      {},
      [],
      { a: 1, b: [null, true, 'x"\n', 1e21, { '': {} }] },
      { '\uffff': 1, '\u{10000}': 2 },
      JSON.parse('{"__proto__":1,"a":{"toJSON":5}}'),
    ];
    for (const value of canonical) {
      expect(isCanonical(value as DatumObject)).to.equal(true);
      expect(canonicalText(value as Datum)).to.equal(JSON.stringify(value));
      expect(canonicalText(reversed(value as Datum))).to.equal(JSON.stringify(value));
    }
  });

  it('are found to have the key of some bytes exactly when it encodes to them', () => {
    const keys = [
      '',
      'a',
      'ab',
      'b',
      'é',
      'a'.repeat(127),
      '\u0080',
      0,
      -0,
      1,
      true,
      ['a'],
      [1, 'b'],
    ];
    for (const one of keys) {
      for (const other of keys) {
        const key = encodeKey(other);
        const isSame = compareBytes(encodeKey(one), key) === 0;
        expect(isPrimaryKey(one, key), JSON.stringify([one, other])).to.equal(isSame);
      }
    }
    for (const cut of [0, 1, 2, 3])
      expect(isPrimaryKey('abc', encodeKey('abc').subarray(0, cut))).to.equal(false);
    expect(() => isPrimaryKey('a\0', encodeKey('a\0'))).to.throw('NULL bytes');
    expect(() => isPrimaryKey('a'.repeat(128), encodeKey('a'.repeat(128)))).to.throw('too long');
  });
});

describe('a field more', () => {
  it('keeps fields in canonical order, and others as they were', () => {
    const sorted = { a: 1, m: 2, z: 3 };
    for (const name of ['0', 'b', 'y', 'zz']) {
      const more = withField(sorted, name, 9);
      expect(Object.keys(more)).to.deep.equal([...Object.keys(sorted), name].sort());
      expect(isCanonical(more)).to.equal(true);
    }
    expect(Object.keys(withField({ z: 1, a: 2 }, 'm', 3))).to.deep.equal(['m', 'z', 'a']);
  });
});
