import { expect } from 'chai';
import * as fc from 'fast-check';
import { compareDatum } from '../../datum/compare.ts';
import type { Datum } from '../../datum/datum.ts';
import { isObject, pseudoType } from '../../datum/object.ts';
import { datums, primaryKeys } from '../../datum/testing/arbitrary.ts';
import { Bench } from '../testing/run.ts';

/** Data as a term: an array of the wire stands for a term. */
const term = (datum: Datum): unknown => [1, datum];
const distinct = (keys: readonly Datum[]): Datum[] =>
  keys.filter((key, at) => keys.findIndex((other) => compareDatum(other, key) === 0) === at);

const sides = fc.constantFrom('open', 'closed');
/** Neighbours of the ends of the bytes of keys, besides whatever comes. */
const edges = fc.constantFrom<Datum>(-1, 2 ** 53 - 1, -3, 255, '\u00ff', true, [[-1]], [-1, 255]);
const indexed = fc.oneof(edges, datums).filter((value) => value !== null);

/** What the values between the bounds are without an index. */
const within =
  (low: Datum, high: Datum, [left, right]: readonly [string, string]) =>
  (value: Datum): boolean => {
    const [fromLow, toHigh] = [compareDatum(value, low), compareDatum(value, high)];
    return (
      (left === 'open' ? fromLow > 0 : fromLow >= 0) &&
      (right === 'open' ? toHigh < 0 : toHigh <= 0)
    );
  };

const isPlainObject = (datum: Datum): boolean => isObject(datum) && pseudoType(datum) === undefined;

describe('keys and ranges of an index', () => {
  it('find by `getAll` and `between` what a filter finds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(indexed, { minLength: 1, maxLength: 8 }),
        indexed,
        fc.tuple(sides, sides),
        async (values, other, bounds) => {
          const bench = new Bench();
          const documents = values.map((value, id) => ({ id, value }));
          const table = await bench.table('t', []);
          await bench.run([75, [table, 'value']]);
          await bench.run([56, [table, [2, documents.map(term)]]]);
          const ids = async (selection: unknown): Promise<number[]> =>
            ((await bench.run(selection)) as { id: number }[])
              .map(({ id }) => id)
              .sort((a, b) => a - b);
          for (const key of [other, values[0] as Datum]) {
            const equal = documents.filter(({ value }) => compareDatum(value, key) === 0);
            const found = await ids([78, [table, term(key)], { index: 'value' }]);
            expect(found).to.deep.equal(equal.map(({ id }) => id));
            const [left_bound, right_bound] = bounds;
            const options = { index: 'value', left_bound, right_bound };
            const low = values.at(-1) as Datum;
            const holds = within(low, key, bounds);
            const between = documents.filter(({ value }) => holds(value));
            const range = [182, [table, term(low), term(key)], options];
            expect(await ids(range)).to.deep.equal(between.map(({ id }) => id));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('find documents by their primary keys as a filter does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(primaryKeys, { minLength: 1, maxLength: 8 }),
        fc.tuple(sides, sides),
        async (keys, bounds) => {
          const bench = new Bench();
          const own = distinct(keys.filter((key) => !isPlainObject(key)));
          const table = await bench.table('t', []);
          await bench.run([56, [table, [2, own.map((id) => term({ id }))]]]);
          const [low, high] = [own[0] as Datum, own.at(-1) as Datum];
          for (const key of own) {
            expect(await bench.run([43, [[78, [table, term(key)]]]])).to.equal(1);
          }
          const [left_bound, right_bound] = bounds;
          const range = [182, [table, term(low), term(high)], { left_bound, right_bound }];
          expect(await bench.run([43, [range]])).to.equal(
            own.filter(within(low, high, bounds)).length,
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  it('find nothing that is equal to a bound', async () => {
    const bench = new Bench();
    const table = await bench.table('t', [{ id: 1, value: 1 }]);
    await bench.run([75, [table, 'value']]);
    for (const bound of [
      [180, []],
      [181, []],
      [2, [[180, []]]],
    ]) {
      expect(await bench.run([78, [table, bound]])).to.deep.equal([]);
      expect(await bench.run([78, [table, bound, 1], { index: 'value' }])).to.deep.equal([
        { id: 1, value: 1 },
      ]);
    }
  });
});
