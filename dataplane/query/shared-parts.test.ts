import { expect } from 'chai';
import { array, Bench, fn } from './testing/run.ts';

/**
 * Values that share their parts: made in sixty steps, they have more parts than a machine can walk, and
 * every term must come to an end with them.
 */
const times = (count: number, base: unknown, step: (x: unknown) => unknown): unknown => [
  187,
  [[173, [count]], base, fn((x) => step(x), 2)],
];
const arrays = (): unknown => times(60, 0, (x) => array(x, x));
const objects = (): unknown => times(60, { a: 1 }, (x) => ({ a: x, b: x }));
const texts = (): unknown => times(12, 'x'.repeat(1_000_000), (x) => array(x, x, x));

const tooLarge =
  'Value too large: with everything that it holds, it is more than a query may handle at once.';

describe('values that share their parts', () => {
  const bench = new Bench();
  let table: unknown;

  before(async () => {
    table = await bench.table('shared', [{ id: 1 }]);
    await bench.run([75, [table, 'a']]);
  });

  it('are compared', async () => {
    for (const value of [arrays, objects, texts]) {
      expect(await bench.run([17, [value(), value()]])).to.equal(true);
      expect(await bench.run([93, [array(value()), value()]])).to.equal(true);
      expect(await bench.run([87, [array(0, value()), value()]])).to.deep.equal([1]);
    }
    expect(await bench.run([52, [[35, [objects(), objects()]]]])).to.equal('OBJECT');
  });

  const refused: readonly (readonly [string, (shared: unknown) => unknown])[] = [
    ['an answer', () => arrays()],
    ['an answer of objects', () => objects()],
    ['an answer of long strings', () => texts()],
    ['JSON', () => [172, [arrays()]]],
    ['a string', () => [51, [objects(), 'string']]],
    ['different values', () => [42, [array(arrays(), arrays())]]],
    ['a group', () => [144, [array(1, 2), fn(() => arrays())]]],
    ['a set', () => [88, [array(arrays()), texts()]]],
    ['a difference', () => [95, [array(objects()), array(objects())]]],
    ['fields to pluck', () => [33, [objects(), objects()]]],
    ['fields to leave out', () => [34, [objects(), objects()]]],
    ['fields to look for', () => [32, [objects(), objects()]]],
    ['a primary key', (shared) => [16, [shared, arrays()]]],
    ['several primary keys', (shared) => [78, [shared, arrays()]]],
    ['a key of an index', (shared) => [78, [shared, arrays()], { index: 'a' }]],
    ['a range', (shared) => [182, [shared, arrays(), arrays()]]],
    ['a range of an index', (shared) => [182, [shared, texts(), texts()], { index: 'a' }]],
    ['an index', (shared) => [64, [fn((x) => [75, [shared, 'b', [69, [[2, [9]], x]]]]), arrays()]]],
  ];
  for (const [title, term] of refused) {
    it(`are refused as ${title}`, async () => {
      const [type, message] = await bench.failure(term(table));
      expect([type, message]).to.deep.equal([3_000_000, tooLarge]);
    });
  }

  it('are no documents', async () => {
    for (const document of [{ id: 2, a: arrays() }, [35, [objects(), { id: 2 }]]]) {
      const answer = (await bench.run([56, [table, document]])) as object;
      expect(answer).to.include({ errors: 1, inserted: 0, first_error: tooLarge });
    }
    const updated = (await bench.run([53, [table, objects()], { non_atomic: true }])) as object;
    expect(updated).to.include({ errors: 1, replaced: 0, first_error: tooLarge });
  });

  it('are cut where an error shows them', async () => {
    const [, message] = await bench.failure([31, [objects(), 'missing']]);
    expect(message).to.match(/^No attribute `missing` in object:/);
    expect(message.length).to.be.lessThan(2_000_000);
  });

  it('make no text that is longer than a document', async () => {
    const doubled = times(60, 'xx', (x) => [24, [x, x]]);
    const [type, message] = await bench.failure([43, [doubled]]);
    expect([type, message]).to.deep.equal([
      2_000_000,
      'String too long: a query makes strings of at most 67108864 characters.',
    ]);
  });

  describe('and hold bounds', () => {
    let parameters = 100;
    /** Functions in each other: the parameter of each is twice in that of the next. */
    const nested = (
      base: unknown,
      twice: (x: unknown) => unknown,
      use: (x: unknown) => unknown,
      left = 60,
    ): unknown => {
      if (left === 0) return use(base);
      parameters += 1;
      const parameter = parameters;
      const body = nested([10, [parameter]], twice, use, left - 1);
      return [64, [[69, [[2, [parameter]], body]], twice(base)]];
    };
    const inArrays = (use: (x: unknown) => unknown): unknown =>
      nested(array([180, []]), (x) => array(x, x), use);
    const inObjects = (use: (x: unknown) => unknown): unknown =>
      nested({ a: [180, []] }, (x) => ({ a: x, b: x }), use);

    it('are compared, counted and looked into', async () => {
      for (const [term, expected] of [
        [inArrays((x) => inArrays((y) => [17, [x, y]])), true],
        [inObjects((x) => inObjects((y) => [17, [x, y]])), true],
        [inArrays((x) => [93, [x, 1]]), false],
        [inArrays((x) => [43, [x]]), 2],
        [inObjects((x) => [94, [x]]), ['a', 'b']],
        [inObjects((x) => [32, [x, { a: { b: true } }]]), true],
      ] as const)
        expect(await bench.run(term)).to.deep.equal(expected);
    });

    it('are refused as keys and as answers', async () => {
      for (const key of [(x: unknown) => [16, [table, x]], (x: unknown) => [182, [table, x, x]]]) {
        const [type, message] = await bench.failure(inArrays(key));
        expect([type, message]).to.deep.equal([3_000_000, tooLarge]);
      }
      const [, message] = await bench.failure(inArrays((x) => x));
      expect(message).to.equal('Cannot convert `r.minval` to JSON.');
    });
  });
});
