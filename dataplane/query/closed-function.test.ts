import { expect } from 'chai';
import { determinism } from './determinism.ts';
import { captured, closedTerm } from './closed-function.ts';
import { FunctionValue, TableValue } from './value.ts';
import type { Value } from './value.ts';

const stored = (term: unknown, variables: Readonly<Record<number, Value>>): unknown => {
  const entries = Object.entries(variables).map(([id, value]) => [Number(id), value] as const);
  const shape = {
    arity: 1,
    pure: true,
    determinism: determinism.always,
    term,
    captured: () => new Map(entries),
  };
  return closedTerm(new FunctionValue(shape, () => null));
};

describe('functions that are stored', () => {
  it('carry the values of the variables around them', () => {
    const body = [24, [[10, [1]], [10, [2]], { a: [10, [2]] }], { option: [10, [2]] }];
    const filled = [24, [[10, [1]], 5, { a: 5 }], { option: 5 }];
    expect(stored([69, [[2, [1]], body]], { 2: 5 })).to.deep.equal([69, [[2, [1]], filled]]);
  });

  it('write arrays and objects as terms', () => {
    const value = [1, { a: [2] }];
    expect(
      stored(
        [
          69,
          [
            [2, [1]],
            [10, [2]],
          ],
        ],
        { 2: value },
      ),
    ).to.deep.equal([
      69,
      [
        [2, [1]],
        [2, [1, { a: [2, [2]] }]],
      ],
    ]);
  });

  it('have one form, whatever form the query had', () => {
    const written = [24, [[3, { a: [10, [2]] }], [1, [1, { b: [] }]], [3, [], {}], [103]]];
    const kept = [24, [{ a: 5 }, [2, [1, { b: [2, []] }]], {}, [103, []]]];
    expect(stored([69, [[2, [1]], written]], { 2: 5 })).to.deep.equal([69, [[2, [1]], kept]]);
    expect(
      stored(
        [
          69,
          [
            [2, [1]],
            [1, [2]],
          ],
        ],
        {},
      ),
    ).to.deep.equal([
      69,
      [
        [2, [1]],
        [2, [2]],
      ],
    ]);
  });

  it('are nested no deeper than they can be read back', () => {
    let body: unknown = 1;
    for (let at = 0; at < 5_000; at += 1) body = [24, [body, 1]];
    expect(() => stored([69, [[2, [1]], body]], {})).to.throw('too deeply nested to be stored');
  });

  it('keep parameters that hide a variable', () => {
    const inner = [
      69,
      [
        [2, [2]],
        [10, [2]],
      ],
    ];
    const term = [
      69,
      [
        [2, [1]],
        [38, [[10, [2]], inner]],
      ],
    ];
    expect(stored(term, { 2: 'x' })).to.deep.equal([
      69,
      [
        [2, [1]],
        [38, ['x', inner]],
      ],
    ]);
  });

  it('refuse what cannot be stored', () => {
    const table = new TableValue({ name: 't' } as never, {} as never, undefined);
    expect(() =>
      stored(
        [
          69,
          [
            [2, [1]],
            [10, [2]],
          ],
        ],
        { 2: table },
      ),
    ).to.throw('Expected type DATUM but found TABLE');
  });

  it('find the innermost variable of a number', () => {
    const scope = { parameters: [1], outer: { parameters: [1, 2], outer: undefined } };
    const values = { values: ['inner'], outer: { values: ['outer', 'second'], outer: undefined } };
    expect([...captured(scope, values)]).to.deep.equal([
      [1, 'inner'],
      [2, 'second'],
    ]);
  });
});
