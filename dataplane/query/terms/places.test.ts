import { expect } from 'chai';
import { Bench } from '../testing/run.ts';

/** Places and words of errors: at the term, or at the argument that it is about. */
const array = (...items: unknown[]): unknown => [2, items];
const fn = (body: (x: unknown) => unknown, id = 1): unknown => [69, [[2, [id]], body([10, [id]])]];
const table = [15, ['t']];
const getAll = [78, [table, 1, 2]];
const slice = [182, [table, 1, 2]];
const ordered = [41, [table, 'name']];
const numbers = array(1, 2, 3);
const logic = 3_000_000;
const missing = 3_100_000;

type Failure = readonly [term: unknown, type: number, message: string, place: readonly number[]];

const atTheTerm: readonly Failure[] = [
  [[24, [numbers, 'x']], logic, 'Expected type ARRAY but found STRING.', []],
  [[24, [numbers, numbers, null]], missing, 'Expected type ARRAY but found NULL.', []],
  [[26, [numbers, 'x']], logic, 'Expected type NUMBER but found STRING.', []],
  [[26, [numbers, numbers]], logic, 'Expected type NUMBER but found ARRAY.', []],
  [[26, [numbers, 0.5]], logic, 'Number not an integer: 0.5', []],
  [[29, [1, 2]], logic, 'Expected type ARRAY but found NUMBER.', []],
  [[80, ['x', 2]], logic, 'Expected type ARRAY but found STRING.', []],
  [[88, ['x', 1]], logic, 'Expected type ARRAY but found STRING.', []],
  [[90, [numbers, 'x']], logic, 'Expected type ARRAY but found STRING.', []],
  [[82, [numbers, 'x', 2]], logic, 'Expected type NUMBER but found STRING.', []],
  [[82, [numbers, 1.5, 2]], logic, 'Number not an integer: 1.5', []],
  [[83, [numbers, -4]], missing, 'Index out of bounds: -4', []],
  [[85, [numbers, 1, 2]], logic, 'Expected type ARRAY but found NUMBER.', []],
  [[95, [numbers, 'x']], logic, 'Cannot convert STRING to SEQUENCE', []],
  [[68, [1, fn((x) => x)]], logic, 'Cannot convert NUMBER to SEQUENCE', []],
  [[71, [numbers, -1]], logic, 'LIMIT takes a non-negative argument (got -1)', []],
  [[45, [table, -2]], logic, 'Cannot use an index < -1 (-2) on a stream.', []],
];

const atAnArgument: readonly Failure[] = [
  [[45, [numbers, 'x']], logic, 'Expected type NUMBER but found STRING.', [1]],
  [[71, [numbers, 'x']], logic, 'Expected type NUMBER but found STRING.', [1]],
  [[51, [1, 'array']], logic, 'Cannot coerce NUMBER to ARRAY.', [0]],
  [[99, ['Unknown']], logic, 'Invalid date string `Unknown` (got `U` but expected a digit).', [0]],
  [[40, [numbers, fn(() => 1)]], logic, 'Cannot convert NUMBER to SEQUENCE', [1]],
  [
    [41, [numbers, 'name']],
    logic,
    'Cannot perform get_field on a non-object non-sequence `1`.',
    [1],
  ],
  [
    [50, [numbers, 'id', table]],
    logic,
    'Cannot perform get_field on a non-object non-sequence `1`.',
    [1],
  ],
  [
    [48, [numbers, fn((x) => x), table]],
    logic,
    'Expected type SEQUENCE but found FUNCTION:\nVALUE FUNCTION',
    [1],
  ],
  [
    [31, [fn((x) => x), 'name']],
    logic,
    'Cannot perform get_field on a non-object non-sequence `VALUE FUNCTION`.',
    [0],
  ],
  [
    [31, [[14, ['test']], 'name']],
    logic,
    'Cannot perform get_field on a non-object non-sequence `db("test")`.',
    [0],
  ],
  [
    [31, [[103, []], 'name']],
    logic,
    'Cannot call `get_field` on objects of type `PTYPE<TIME>`.',
    [0],
  ],
  [[64, [fn((x) => x), getAll]], logic, wanted('DATUM', 'SELECTION', 'SELECTION ON table(t)'), [1]],
];

function wanted(type: string, found: string, shown: string): string {
  return `Expected type ${type} but found ${found}:\n${shown}`;
}

/** What is no datum, and how it is shown. */
/** Errors of what is read later, by another term. */
const whileReading: readonly Failure[] = [
  [[40, [table, fn(() => 1)]], logic, 'Cannot convert NUMBER to SEQUENCE', [1]],
  [[43, [[40, [table, fn(() => 1)]]]], logic, 'Cannot convert NUMBER to SEQUENCE', [0, 1]],
  [[43, [[31, [[173, [3]], 'a']]]], logic, noObject('get_field', '0'), [0]],
  [[43, [[33, [[173, [3]], 'a']]]], logic, noObject('pluck', '0'), [0]],
  [[43, [[144, [numbers, 'a']]]], logic, noObject('get_field', '1'), [0, 1]],
  [[144, [numbers, 'a']], logic, noObject('get_field', '1'), [1]],
  [[43, [[50, [[173, [3]], 'a', table]]]], logic, noObject('get_field', '0'), [0, 1]],
];

function noObject(term: string, value: string): string {
  return `Cannot perform ${term} on a non-object non-sequence \`${value}\`.`;
}

const shown: readonly (readonly [term: unknown, found: string, shown: string])[] = [
  [table, 'TABLE', 'table("t")'],
  [slice, 'TABLE_SLICE', 'SELECTION ON table(t)'],
  [getAll, 'SELECTION', 'SELECTION ON table(t)'],
  [ordered, 'SELECTION', 'SELECTION ON table(t)'],
  [[39, [table, { a: 1 }]], 'SELECTION', 'SELECTION ON table(t)'],
  [[173, [1, 3]], 'SEQUENCE', 'VALUE SEQUENCE'],
  [fn((x) => x), 'FUNCTION', 'VALUE FUNCTION'],
];

describe('places and words of errors', () => {
  const bench = new Bench();
  before(() => bench.table('t', [{ id: 1, name: 'a' }]));

  for (const [term, ...failure] of [...atTheTerm, ...atAnArgument, ...whileReading]) {
    it(`of ${JSON.stringify(term)}`, async () => {
      expect(await bench.failure(term)).to.deep.equal(failure);
    });
  }

  for (const [term, found, text] of shown) {
    it(`show ${found} ${JSON.stringify(term)} as ${text}`, async () => {
      const failure = [logic, wanted('DATUM', found, text), [0]];
      expect(await bench.failure([24, [term, 1]])).to.deep.equal(failure);
      expect(await bench.failure(array(term))).to.have.property('1', failure[1]);
    });
  }

  it('show a document where a sequence is wanted', async () => {
    expect(await bench.failure([71, [[16, [table, 1]], 1]])).to.deep.equal([
      logic,
      wanted('SEQUENCE', 'SINGLE_SELECTION', '{\n\t"id":\t1,\n\t"name":\t"a"\n}'),
      [0],
    ]);
  });

  it('name a form that nothing is coerced to, and the form that it has', async () => {
    for (const [term, type, message] of [
      [table, 'STRING', 'Cannot coerce TABLE to STRING.'],
      [getAll, 'NUMBER', 'Cannot coerce SELECTION<STREAM> to NUMBER.'],
      [[173, [1, 3]], 'STRING', 'Cannot coerce STREAM to STRING.'],
      [fn((x) => x), 'STRING', 'Cannot coerce FUNCTION to STRING.'],
    ] as const)
      expect(await bench.failure([51, [term, type]])).to.deep.equal([logic, message, [0]]);
    expect(await bench.run([51, [table, 'bool']])).to.equal(true);
  });

  it('name the first index, in the order of their names, that is not there', async () => {
    const [, message] = await bench.failure([139, [table, 'foo', 'bar']]);
    expect(message).to.equal('Index `bar` was not found on table `test.t`.');
  });

  it('join arrays to arrays', async () => {
    expect(await bench.run([52, [[50, [array({ a: 1 }), 'a', table]]]])).to.equal('ARRAY');
    expect(await bench.run([52, [[50, [getAll, 'id', table]]]])).to.equal('STREAM');
  });
});
