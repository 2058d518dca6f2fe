import { expect } from 'chai';
import { array, Bench, fn } from './testing/run.ts';

const bench = new Bench();

/** `base` with `link` applied so often. */
function chain(base: unknown, link: (inner: unknown) => unknown, times = 5_000): unknown {
  let term = base;
  for (let at = 0; at < times; at += 1) term = link(term);
  return term;
}

const add = (inner: unknown): unknown => [24, [inner, 1]];

describe('chained terms', () => {
  for (const times of [1, 49, 50, 51, 600, 5_000]) {
    it(`are evaluated when there are ${times} of them`, async () => {
      expect(await bench.run(chain(0, add, times))).to.equal(times);
    });
  }

  it('are of every kind', async () => {
    const links: readonly (readonly [string, unknown, (inner: unknown) => unknown, unknown])[] = [
      ['do', 0, (inner) => [64, [fn((x) => [24, [x, 1]]), inner]], 5_000],
      ['and', true, (inner) => [67, [inner, true]], true],
      ['or', false, (inner) => [66, [inner, true]], true],
      ['default', null, (inner) => [92, [inner, null]], null],
      ['merge', {}, (inner) => [35, [inner, { a: 1 }]], { a: 1 }],
      ['map', array(1), (inner) => [38, [inner, fn((x) => [24, [x, 1]])]], [5_001]],
      ['random', 0, (inner) => [24, [inner, [45, [[2, [[151, [2]]]], 0]]]], 5_000],
    ];
    for (const [name, base, link, expected] of links)
      expect(await bench.run(chain(base, link)), name).to.deep.equal(expected);
  });

  it('read tables', async () => {
    const table = await bench.table('chained', [{ id: 1, n: 1 }]);
    const count = [43, [table]];
    expect(await bench.run(chain(count, add))).to.equal(5_001);
    const updated = [53, [[16, [table, 1]], fn((row) => ({ n: chain([170, [row, 'n']], add) }))]];
    expect(await bench.run(updated)).to.include({ replaced: 1 });
    expect(await bench.run([16, [table, 1]])).to.deep.equal({ id: 1, n: 5_001 });
  });

  it('fail at the place of the fault, and give way to a default behind it', async () => {
    const wrong = [24, [0, 'a']];
    const [type, message, place] = await bench.failure(chain(wrong, add, 1_000));
    expect([type, message]).to.deep.equal([3_000_000, 'Expected type NUMBER but found STRING.']);
    expect(place).to.deep.equal(Array.from({ length: 1_000 }, () => 0));
    const missing = chain([170, [{}, 'a']], add, 200);
    expect(await bench.run(chain([92, [missing, 7]], add, 200))).to.equal(207);
    expect(await bench.run(chain([92, [chain([12, []], add, 200), 1]], add, 60))).to.equal(61);
  });

  it('are refused before they are evaluated, at their place', async () => {
    const [type, message, place] = await bench.failure(chain([9_999, []], add, 120));
    expect([type, message]).to.deep.equal([0, 'Unrecognized TermType: 9999.']);
    expect(place).to.deep.equal(Array.from({ length: 120 }, () => 0));
  });

  it('keep their variables', async () => {
    const inside = fn((x) => chain(x, (inner) => [24, [inner, x]], 300));
    expect(await bench.run([38, [array(1, 2), inside]])).to.deep.equal([301, 602]);
    const both = [24, [chain(1, add, 200), chain(2, add, 300)]];
    expect(await bench.run(both)).to.equal(503);
  });

  it('have an end, as has every other nesting', async () => {
    const tooDeep = [0, /^Query too deeply nested/] as const;
    const deep: readonly unknown[] = [
      chain(0, add, 50_000),
      chain(0, (inner) => [24, [1, inner]], 10_000),
      chain(0, (inner) => [64, [[69, [[2, [1]], inner]], 1]], 10_000),
      chain(0, (inner) => [2, [inner]], 10_000),
      chain(0, (inner) => ({ a: inner }), 10_000),
      chain(0, (inner) => [65, [true, 1, inner]], 10_000),
    ];
    for (const term of deep) {
      const [type, message] = await bench.failure(term);
      expect(type).to.equal(tooDeep[0]);
      expect(message).to.match(tooDeep[1]);
    }
  });

  it('make no value that is too deep', async () => {
    const folded = [187, [[173, [10_000]], 0, fn((x) => array(x), 2)]];
    const nested = (term: unknown): Promise<readonly unknown[]> => bench.failure(term);
    const message = /nested too deeply|needs more stack/;
    for (const term of [folded, [172, [folded]], [17, [folded, folded]], [51, [folded, 'string']]])
      expect((await nested(term))[1]).to.match(message);
    const table = await bench.table('deep', []);
    expect((await nested([56, [table, { id: 1, a: folded }]]))[1]).to.match(message);
    expect(await bench.run([43, [table]])).to.equal(0);
    const merged = chain({}, (inner) => ({ a: inner }), 400);
    const grown = [187, [[173, [2_000]], {}, fn((x, y) => [35, [merged, { b: x, y }]], 2)]];
    expect((await nested(grown))[1]).to.match(message);
  });
});
