import { expect } from 'chai';
import { termText } from './term-text.ts';

describe('terms as text', () => {
  const table = [15, [[14, ['shop']], 'orders']];

  it('look as in JavaScript', () => {
    const cases: readonly (readonly [unknown, string])[] = [
      [[15, ['orders']], 'r.table("orders")'],
      [[16, [table, 7]], 'r.db("shop").table("orders").get(7)'],
      [
        [39, [table, { a: [2, [1, null]] }]],
        'r.db("shop").table("orders").filter({"a": [1, null]})',
      ],
      [
        [
          39,
          [
            table,
            [
              69,
              [
                [2, [1]],
                [21, [[170, [[10, [1]], 'n']], 3]],
              ],
            ],
          ],
        ],
        'r.db("shop").table("orders").filter(function(var_1) { return var_1("n").gt(3); })',
      ],
      [[78, [table, 1], { index: 'n' }], 'r.db("shop").table("orders").getAll(1, {"index": "n"})'],
      [
        [
          24,
          [
            [2, [1]],
            [13, []],
          ],
        ],
        'r.expr([1]).add(r.row)',
      ],
      [
        [
          64,
          [
            [
              69,
              [
                [2, [-2]],
                [10, [-2]],
              ],
            ],
            5,
          ],
        ],
        'r.expr(5).do(function(var__2) { return var__2; })',
      ],
      [[103, []], 'r.now()'],
      [[3, [], { a: 1 }], '{"a": 1}'],
      [[999, [1]], 'r.expr(1).term_999()'],
    ];
    for (const [term, text] of cases) expect(termText(term)).to.equal(text);
  });

  it('are cut when they are long, without reading the rest', () => {
    const documents = Array.from({ length: 100_000 }, (_, id) => ({ id, text: 'x'.repeat(100) }));
    const text = termText([56, [table, [2, documents]]]);
    expect(text.length).to.equal(4_099);
    expect(text).to.match(/^r\.db\("shop"\)\.table\("orders"\)\.insert\(\[\{"id": 0, .*\.\.\.$/);
    expect(termText('x'.repeat(10_000)).length).to.equal(4_099);
  });

  it('show whatever a client sent', () => {
    for (const value of [null, [], [[]], ['x'], [15], [15, 5], [69, []], [10, []], undefined])
      expect(termText(value)).to.be.a('string');
    let deep: unknown = 1;
    for (let depth = 0; depth < 100_000; depth += 1) deep = [23, [deep]];
    expect(termText(deep)).to.match(/^\.\.\.\.not\(\)/);
  });
});
