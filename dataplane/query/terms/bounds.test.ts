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

  it('find no document by a bound, and write none', async () => {
    const bench = new Bench();
    const table = await bench.table('t', [{ id: 1 }]);
    for (const bound of [
      [180, []],
      [181, []],
      [2, [1, [180, []]]],
    ]) {
      const row = [16, [table, bound]];
      expect(await bench.run(row)).to.equal(null);
      expect(await bench.run([53, [row, { a: 1 }]])).to.include({ skipped: 1, errors: 0 });
      expect(await bench.run([54, [row]])).to.include({ skipped: 1, errors: 0 });
      expect(await bench.run([55, [row, { id: 5 }]])).to.include({ errors: 1, inserted: 0 });
    }
    expect(await bench.run(table)).to.deep.equal([{ id: 1 }]);
    const [, message] = await bench.failure([16, [table, { a: [180, []] }]]);
    expect(message).to.equal('Cannot convert `r.minval` to JSON.');
  });
});

describe('arrays and objects that hold bounds', () => {
  const bench = new Bench();
  const [min, max] = [
    [180, []],
    [181, []],
  ];
  const array = [2, [1, min]];
  const object = { b: min, a: 1, c: { d: max } };
  const objects = [2, [object, { a: 2 }]];

  const values: readonly (readonly [title: string, term: unknown, expected: unknown])[] = [
    ['their size', [43, [array]], 2],
    ['the number of fields', [43, [object]], 3],
    ['no emptiness', [86, [array]], false],
    ['an item', [45, [array, 0]], 1],
    ['a bound among the items', [52, [[45, [array, 1]]]], 'MINVAL'],
    ['a field', [31, [object, 'a']], 1],
    ['a field in brackets', [170, [object, 'a']], 1],
    ['a bound of a field', [52, [[170, [object, 'b']]]], 'MINVAL'],
    ['a field inside', [52, [[170, [[170, [object, 'c']], 'd']]]], 'MAXVAL'],
    ['a field of each item', [170, [objects, 'a']], [1, 2]],
    ['names of fields', [94, [object]], ['a', 'b', 'c']],
    ['values of fields', [45, [[186, [object]], 0]], 1],
    ['what fields are there', [32, [object, 'a', 'b', { c: { d: true } }]], true],
    ['what fields are not there', [32, [object, { c: 'e' }]], false],
    ['whether a bound is in it', [93, [array, min]], true],
    ['whether another bound is in it', [93, [array, max]], false],
    ['equality', [17, [array, array]], true],
    ['equality of objects', [17, [object, { a: 1, c: { d: max }, b: min }]], true],
    ['order among arrays', [19, [array, [2, [1, null]]]], true],
    ['order among objects', [21, [object, { a: 1, b: 'x' }]], false],
    ['order among types', [19, [array, 1]], true],
  ];
  for (const [title, term, expected] of values)
    it(`tell ${title}`, async () => {
      expect(await bench.run(term)).to.deep.equal(expected);
    });

  it('are no answers', async () => {
    for (const term of [array, object, objects, [170, [object, 'c']]]) {
      const [type, message] = await bench.failure(term);
      expect(type).to.equal(3_000_000);
      expect(message).to.match(/^Cannot convert `r\.(min|max)val` to JSON\.$/);
    }
  });
});
