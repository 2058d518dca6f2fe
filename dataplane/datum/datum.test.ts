import { expect } from 'chai';
import * as fc from 'fast-check';
import { compareBytes } from '../common/bytes.ts';
import { compareDatum, equalDatum } from './compare.ts';
import { equalityText } from './datum-map.ts';
import type { Datum } from './datum.ts';
import { InvalidDatumError } from './errors.ts';
import { encodeKey } from './key.ts';
import { compareText } from './object.ts';
import { canonicalText, parseText, prettyText } from './text.ts';
import { datums as datum } from './testing/arbitrary.ts';
import { typeName } from './type-name.ts';

const sign = Math.sign;

describe('values', () => {
  it('have the same key bytes for a text alone and for one inside an array', () => {
    const texts = fc.oneof(fc.string({ maxLength: 140 }), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(texts, (text) => {
        expect(encodeKey([text]).subarray(1, -1)).to.deep.equal(encodeKey(text));
      }),
      { examples: [[''], ['a\u0000b'], ['x'.repeat(127)], ['x'.repeat(128)], ['\u00e9']] },
    );
  });

  it('have keys whose bytes order as the values do', () => {
    fc.assert(
      fc.property(datum, datum, (a, b) => {
        expect(sign(compareBytes(encodeKey(a), encodeKey(b)))).to.equal(sign(compareDatum(a, b)));
      }),
      { numRuns: 3_000 },
    );
  });

  it('have different keys exactly when they are different', () => {
    fc.assert(
      fc.property(datum, datum, (a, b) => {
        expect(compareBytes(encodeKey(a), encodeKey(b)) === 0).to.equal(equalDatum(a, b));
        expect(equalityText(a) === equalityText(b)).to.equal(equalDatum(a, b));
        expect(compareBytes(encodeKey(a), encodeKey(parseText(canonicalText(a))))).to.equal(0);
      }),
      { numRuns: 2_000 },
    );
  });

  it('keep the sign of zero in their text, and not in their order', () => {
    expect(canonicalText([-0, 0])).to.equal('[-0.0,0]');
    expect(Object.is((parseText('[-0.0]') as number[])[0], -0)).to.equal(true);
    expect(compareBytes(encodeKey(-0), encodeKey(0))).to.equal(0);
    expect(prettyText(-0)).to.equal('-0.0');
  });

  it('have no text when they are no values', () => {
    for (const none of [Number.NaN, 1 / 0, '\udc00', { '\ud800': 1 }, [['\ud800a']]])
      expect(() => canonicalText(none)).to.throw(InvalidDatumError);
  });

  it('are compared, encoded and written up to a depth, and refused beyond', () => {
    const deep = (depth: number): Datum => {
      let nested: Datum = 0;
      for (let at = 0; at < depth; at += 1) nested = [nested];
      return nested;
    };
    const [allowed, refused, other] = [deep(500), deep(20_000), deep(20_000)];
    expect(compareDatum(allowed, deep(500))).to.equal(0);
    expect(parseText(canonicalText(allowed))).to.deep.equal(allowed);
    expect(encodeKey(allowed).byteLength).to.be.greaterThan(1_000);
    for (const use of [compareDatum, (a: Datum) => encodeKey(a), canonicalText, equalityText])
      expect(() => use(refused, other)).to.throw(InvalidDatumError, 'nested too deeply');
    expect(prettyText(refused)).to.contain('...');
  });

  it('have keys of which none is the beginning of another', () => {
    fc.assert(
      fc.property(datum, datum, (a, b) => {
        const [keyA, keyB] = [encodeKey(a), encodeKey(b)];
        if (compareBytes(keyA, keyB) === 0 || keyA.length > keyB.length) return;
        expect(compareBytes(keyA, keyB.subarray(0, keyA.length))).not.to.equal(0);
      }),
    );
  });

  it('order types by their names, and texts by their code points', () => {
    const ordered: Datum[] = [[], true, null, 0, {}, { $reql_type$: 'BINARY', data: '' }, 'a'];
    for (let at = 1; at < ordered.length; at += 1) {
      expect(compareDatum(ordered[at - 1] as Datum, ordered[at] as Datum)).to.be.lessThan(0);
    }
    expect(compareText('\uffff', '\u{10000}')).to.be.lessThan(0);
    expect(compareDatum(-0, 0)).to.equal(0);
  });

  it('have one canonical text, which is read back as the same value', () => {
    fc.assert(
      fc.property(datum, (value) => {
        const text = canonicalText(value);
        expect(canonicalText(parseText(text))).to.equal(text);
        expect(compareDatum(parseText(text), value)).to.equal(0);
      }),
    );
    expect(canonicalText({ b: 1, '10': 2, a: [1.5, 'x'] })).to.equal(
      '{"10":2,"a":[1.5,"x"],"b":1}',
    );
    expect(canonicalText(parseText('{"__proto__":{"x":1}}'))).to.equal('{"__proto__":{"x":1}}');
  });

  it('are shown in errors with tabs and line breaks', () => {
    expect(prettyText({ id: 1, a: { b: [1, 2] } })).to.equal(
      '{\n\t"a":\t{\n\t\t"b":\t[\n\t\t\t1,\n\t\t\t2\n\t\t]\n\t},\n\t"id":\t1\n}',
    );
  });

  it('say their type', () => {
    expect([null, true, 1, 'a', [], {}].map(typeName)).to.deep.equal([
      'NULL',
      'BOOL',
      'NUMBER',
      'STRING',
      'ARRAY',
      'OBJECT',
    ]);
    expect(typeName({ $reql_type$: 'TIME', epoch_time: 0 })).to.equal('PTYPE<TIME>');
  });
});
