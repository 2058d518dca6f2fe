import { expect } from 'chai';
import * as fc from 'fast-check';
import { kindOfQuery, queryKinds } from './query-kind.ts';
import { Term } from './term-table.ts';

const table = [Term.TABLE, ['t']];
const get = [Term.GET, [table, 1]];

describe('the kind of a query', () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['point', get],
    ['point', [Term.GET_FIELD, [[Term.PLUCK, [get, 'a']], 'a']]],
    ['write', [Term.UPDATE, [get, { a: 1 }]]],
    ['write', [Term.INSERT, [table, [Term.MAKE_ARRAY, []]]]],
    ['write', [Term.GET_FIELD, [[Term.DELETE, [table]], 'deleted']]],
    ['write', [Term.FOR_EACH, [table, [Term.FUNC, []]]]],
    ['read', table],
    ['read', [Term.COUNT, [[Term.FILTER, [table, {}]]]]],
    ['read', [Term.LIMIT, [[Term.GET_ALL, [table, 1, 2]], 5]]],
    ['point', [Term.FUNCALL, [[Term.FUNC, []], get]]],
    ['admin', [Term.TABLE_CREATE, ['t']]],
    ['admin', [Term.STATUS, [table]]],
    ['admin', [Term.DB_LIST, []]],
    ['expression', [Term.ADD, [1, 2]]],
    ['expression', 1],
    ['expression', null],
    ['expression', { a: get }],
  ];
  for (const [kind, term] of cases) {
    it(`is ${kind} for ${JSON.stringify(term)}`, () => {
      expect(kindOfQuery(term)).to.equal(kind);
    });
  }

  it('is found for anything that a client may send', () => {
    fc.assert(
      fc.property(fc.anything({ maxDepth: 4 }), (term) => {
        expect(queryKinds).to.include(kindOfQuery(term));
      }),
    );
  });

  it('needs no more than a bounded time for a chain of any length', () => {
    let deep: unknown = get;
    for (let depth = 0; depth < 10_000; depth += 1) deep = [Term.GET_FIELD, [deep, 'a']];
    expect(kindOfQuery(deep)).to.equal('expression');
  });
});
