import { expect } from 'chai';
import * as fc from 'fast-check';
import { compareBytes } from '../common/bytes.ts';
import { compareDatum } from './compare.ts';
import type { Datum } from './datum.ts';
import { encodeKey } from './key.ts';
import { compareText } from './object.ts';
import { canonicalText, parseText, prettyText } from './text.ts';
import { typeName } from './type-name.ts';

const binary = fc
  .uint8Array({ maxLength: 6 })
  .map((bytes) => ({ $reql_type$: 'BINARY', data: btoa(String.fromCharCode(...bytes)) }));
const time = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map((epoch) => ({ $reql_type$: 'TIME', epoch_time: epoch, timezone: '+00:00' }));

const datum: fc.Arbitrary<Datum> = fc.letrec<{ datum: Datum }>((tie) => ({
  datum: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'grapheme', maxLength: 6 }),
    binary,
    time,
    fc.array(tie('datum'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string({ maxLength: 4 }), fc.constant('__proto__')), tie('datum'), {
      maxKeys: 3,
      noNullPrototype: false,
    }),
  ),
})).datum;

const sign = Math.sign;

describe('values', () => {
  it('have keys whose bytes order as the values do', () => {
    fc.assert(
      fc.property(datum, datum, (a, b) => {
        expect(sign(compareBytes(encodeKey(a), encodeKey(b)))).to.equal(sign(compareDatum(a, b)));
      }),
      { numRuns: 3_000 },
    );
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
      '{\n\t"a":\t{\n\t\t"b":\t[1, 2]\n\t},\n\t"id":\t1\n}',
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
