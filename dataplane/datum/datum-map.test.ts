import { expect } from 'chai';
import * as fc from 'fast-check';
import { compareDatum } from './compare.ts';
import { DatumMap, DatumSet, equalityText } from './datum-map.ts';
import type { Datum } from './datum.ts';

const time = (epoch_time: number, timezone: string): Datum => ({
  $reql_type$: 'TIME',
  epoch_time,
  timezone,
});
const binary = (data: string): Datum => ({ $reql_type$: 'BINARY', data });

const plain = fc.oneof(
  fc.constantFrom<Datum>(null, true, false, 0, -0, 1, 'T0', '', 'a', '0', '[0]'),
  fc.constantFrom(time(0, '+00:00'), time(0, '+02:00'), time(1, 'Z'), binary('YQ=='), binary('')),
);
const datum = fc.letrec<{ datum: Datum }>((tie) => ({
  datum: fc.oneof(
    { maxDepth: 3 },
    plain,
    fc.array(tie('datum'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', ','), tie('datum'), { maxKeys: 2 }),
  ),
})).datum;

describe('equality of data', () => {
  it('is that of the order of all values', () => {
    fc.assert(
      fc.property(datum, datum, (a, b) => {
        expect(equalityText(a) === equalityText(b)).to.equal(compareDatum(a, b) === 0);
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps the first of equal values', () => {
    const set = new DatumSet([1, 'a', time(5, 'Z'), time(5, '+05:00'), [time(5, 'Z')]]);
    expect(set.add([time(5, '-01:00')])).to.equal(false);
    expect([...set.values()]).to.deep.equal([1, 'a', time(5, 'Z'), [time(5, 'Z')]]);
    expect(set.size).to.equal(4);
  });

  it('never takes a text for the text of something else', () => {
    const map = new DatumMap<string>();
    map.set([1], 'array');
    map.set('[1]', 'text');
    expect([map.get([1]), map.get('[1]')]).to.deep.equal(['array', 'text']);
  });
});
