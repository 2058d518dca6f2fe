import { expect } from 'chai';
import { readFieldsOf } from './read-fields.ts';
import { Term } from './term-table.ts';
import { Bench, fn } from './testing/run.ts';

const row = [Term.VAR, [1]];
const field = (name: unknown, of: unknown = row): unknown => [Term.BRACKET, [of, name]];
const namesOf = (body: unknown, parameters: readonly number[] = [1]): string[] | undefined =>
  readFieldsOf(parameters, body)?.map(({ name }) => name);

describe('what a function reads of its document', () => {
  for (const [what, body, names] of [
    ['one field', field('a'), ['a']],
    ['fields of r.row', [Term.ADD, [field('a', [Term.IMPLICIT_VAR, []]), field('b')]], ['a', 'b']],
    ['get_field', [Term.GET_FIELD, [row, 'a']], ['a']],
    ['a field of a field', field('b', field('a')), ['a']],
    ['fields in an object', { x: field('a'), y: [Term.MAKE_ARRAY, [field('b')]] }, ['a', 'b']],
    ['a field, twice', [Term.MUL, [field('a'), field('a')]], ['a']],
    ['a field in a function inside', [Term.MAP, [field('a'), fn(() => field('b'))]], ['a', 'b']],
  ] as const) {
    it(`is known for ${what}`, () => {
      expect(namesOf(body)?.sort()).to.deep.equal(names);
    });
  }

  for (const [what, body, parameters] of [
    ['the document itself', row],
    ['the document beside a field', [Term.MERGE, [row, { a: field('a') }]]],
    ['a field whose name is computed', field([Term.ADD, ['a', 'b']])],
    ['another term over the document', [Term.HAS_FIELDS, [row, 'a']]],
    ['a position', field(0)],
    ['a name that cannot be searched for', field('__proto__')],
    ['nothing', 5],
    ['many fields', [Term.ADD, ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => field(name))]],
    ['two parameters', field('a'), [1, 2]],
  ] as const) {
    it(`is not known for ${what}`, () => {
      expect(namesOf(body, parameters)).to.equal(undefined);
    });
  }

  it('changes no answer and no error', async () => {
    const bench = new Bench();
    const table = await bench.table('t', [
      { id: 1, n: 1, text: 'a"b', inside: { n: 5 } },
      { id: 2, inside: { n: 6 }, n: 2, text: 'x'.repeat(20) },
    ]);
    const map = (name: string): unknown => [
      Term.COERCE_TO,
      [[Term.MAP, [table, fn((document) => field(name, document))]], 'array'],
    ];
    expect(await bench.run(map('n'))).to.deep.equal([1, 2]);
    expect(await bench.run(map('text'))).to.deep.equal(['a"b', 'x'.repeat(20)]);
    expect(await bench.run(map('inside'))).to.deep.equal([{ n: 5 }, { n: 6 }]);
    const [, message] = await bench.failure(map('absent'));
    expect(message).to.match(/^No attribute `absent` in object:\n/);
    expect(message).to.contain('"inside":');
  });
});
