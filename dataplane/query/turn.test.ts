import { expect } from 'chai';
import { Bench, fn } from './testing/run.ts';

const bench = new Bench();
const list = (count: number): unknown => [51, [[173, [count]], 'array']];
/** `body` with a list in the variable 9. */
const withList = (count: number, body: (items: unknown) => unknown): unknown => [
  64,
  [[69, [[2, [9]], body([10, [9]])]], list(count)],
];

describe('what a query computes without a pause', () => {
  const nested = (body: (items: unknown) => unknown): unknown =>
    withList(100_000, (items) => [38, [items, fn(() => body(items))]]);
  const endless: readonly (readonly [string, unknown])[] = [
    ['calls', nested((items) => [43, [[38, [items, fn((y) => y)]]]])],
    ['orders', nested((items) => [45, [[41, [items, fn((y) => y)]], 0]])],
    ['sets', nested((items) => [42, [items]])],
    ['copies', withList(100_000, (a) => [187, [a, a, fn((all, x) => [29, [all, x]], 2)]])],
  ];
  for (const [title, term] of endless) {
    it(`has an end: ${title}`, async () => {
      const [type, message] = await bench.failure(term, { array_limit: 1_000_000 });
      expect(type).to.equal(2_000_000);
      expect(message).to.match(/^Query computes too much without a pause: /);
    }).timeout(60_000);
  }

  it('is not what it computes of a stream, which pauses', async () => {
    const inner = (items: unknown): unknown => [43, [[38, [items, fn((y) => y)]]]];
    const { pauses } = bench.environment;
    const streamed = withList(100_000, (items) => [
      145,
      [[38, [[173, [300]], fn(() => inner(items))]]],
    ]);
    expect(await bench.run(streamed)).to.equal(30_000_000);
    expect(bench.environment.pauses).to.be.greaterThan(pauses + 25);
    const table = await bench.table('turns', [{ id: 1 }, { id: 2 }]);
    const counted = withList(10_000, (items) => [
      53,
      [table, fn(() => ({ n: [145, [[38, [items, fn(() => 1)]]]] }))],
    ]);
    expect(await bench.run(counted)).to.include({ replaced: 2, errors: 0 });
  }).timeout(60_000);
});
