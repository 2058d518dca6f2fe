import { expect } from 'chai';
import { Term } from '../term-table.ts';
import { array, Bench, fn } from '../testing/run.ts';

const forever = [Term.RANGE, []];
const refusal =
  'Cannot use an infinite stream with an aggregation function (`reduce`, `count`, etc.) or coerce it to an array.';
const add = fn((sum, x) => [Term.ADD, [sum, x]], 2);
const same = fn((x) => x);
const emitted = [
  Term.FOLD,
  [forever, 0, add],
  { emit: fn((_, __, sum) => array(sum), 3), final_emit: fn((sum) => array(sum)) },
];

/** What makes a stream without an end of another one. */
const streams: Readonly<Record<string, unknown>> = {
  range: forever,
  map: [Term.MAP, [forever, same]],
  'map of two': [Term.MAP, [forever, forever, add]],
  concatMap: [Term.CONCAT_MAP, [forever, fn((x) => array(x))]],
  filter: [Term.FILTER, [forever, fn(() => true)]],
  skip: [Term.SKIP, [forever, 5]],
  slice: [Term.SLICE, [forever, 5]],
  union: [Term.UNION, [array(1), forever]],
  'merged union': [Term.UNION, [array(1), forever], { interleave: same }],
  fold: emitted,
  offsetsOf: [Term.OFFSETS_OF, [forever, fn(() => true)]],
  difference: [Term.DIFFERENCE, [forever, array(1)]],
  innerJoin: [Term.INNER_JOIN, [forever, array(1), fn(() => true, 2)]],
  outerJoin: [Term.OUTER_JOIN, [forever, array(1), fn(() => true, 2)]],
};

describe('streams without an end', () => {
  const bench = new Bench();
  let table: unknown;
  before(async () => (table = await bench.table('t', [])));

  for (const [name, stream] of Object.entries(streams)) {
    it(`are read as far as they are asked for: ${name}`, async () => {
      expect(await bench.run([Term.LIMIT, [stream, 3]])).to.have.length(3);
      expect(await bench.run([Term.IS_EMPTY, [stream]])).to.equal(false);
      expect(await bench.run([Term.COUNT, [[Term.SLICE, [stream, 1, 3]]]])).to.equal(2);
    });

    it(`are refused where they would be read to their end: ${name}`, async () => {
      const readers: readonly unknown[] = [
        [Term.COUNT, [stream]],
        [Term.SUM, [stream]],
        [Term.MAX, [stream]],
        [Term.REDUCE, [stream, add]],
        [Term.FOLD, [stream, 0, add]],
        [Term.COERCE_TO, [stream, 'array']],
        [Term.ORDER_BY, [stream, same]],
        [Term.DISTINCT, [stream]],
        [Term.NTH, [stream, -1]],
        [Term.SAMPLE, [stream, 1]],
        [Term.CONTAINS, [stream, 'x']],
        [Term.COUNT, [[Term.GROUP, [stream, same]]]],
        [Term.INNER_JOIN, [array(1), stream, fn(() => true, 2)]],
        [Term.DIFFERENCE, [array(1), stream]],
        [Term.FOR_EACH, [stream, fn((x) => [Term.INSERT, [table, { id: x }]])]],
        [Term.INSERT, [table, stream]],
      ];
      for (const term of readers)
        expect((await bench.failure(term)).slice(0, 2), JSON.stringify(term)).to.deep.equal([
          3_000_000,
          refusal,
        ]);
      expect(await bench.run([Term.COUNT, [table]])).to.equal(0);
    });
  }
});
