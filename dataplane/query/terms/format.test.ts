import { expect } from 'chai';
import { Term } from '../term-table.ts';
import { array, Bench } from '../testing/run.ts';

const format = (template: unknown, object: unknown): unknown => [Term.FORMAT, [template, object]];

describe('format', () => {
  const bench = new Bench();

  it('puts fields in the place of their names', async () => {
    const texts: readonly (readonly [string, unknown, string])[] = [
      ['With great {noun} comes', { noun: 'power' }, 'With great power comes'],
      ['{a}{b} {a}', { a: 'x', b: 'y' }, 'xy x'],
      ['{}', { '': 'empty' }, 'empty'],
      ['no parameter', { text: 'test' }, 'no parameter'],
      ['', {}, ''],
      ['{n} {m}', { n: 100, m: 99.12345 }, '100 99.12345'],
      ['{o}{l}{z}', { o: { x: 1 }, l: array(1, 2), z: null }, '{"x":1}[1,2]null'],
      ['{a}', { a: '{b}' }, '{b}'],
    ];
    for (const [template, object, expected] of texts)
      expect(await bench.run(format(template, object))).to.equal(expected);
  });

  it('refuses what is no template, no object or no field', async () => {
    const refused: readonly (readonly [unknown, unknown, number, string])[] = [
      ['{a}', {}, 3_100_000, 'No attribute `a` in object:\n{}'],
      ['{a b', { a: 1 }, 3_000_000, 'Parameter tag must be closed'],
      ['a} b', { a: 1 }, 3_000_000, 'No parameter tags to close'],
      ['{{a}}', { a: 1 }, 3_000_000, 'Nested template parameters are not allowed'],
      ['{a,}', {}, 3_000_000, 'Formatting separator `,` is not allowed in parameter name'],
      ['{a\\}', {}, 3_000_000, 'Reserved escape character `\\` is not allowed in parameter name'],
      ['{a}', array('a'), 3_000_000, 'Expected type OBJECT but found ARRAY.'],
      ['{a}', 'a', 3_000_000, 'Expected type OBJECT but found STRING.'],
      [1, {}, 3_000_000, 'Expected type STRING but found NUMBER.'],
    ];
    for (const [template, object, type, message] of refused)
      expect((await bench.failure(format(template, object))).slice(0, 2)).to.deep.equal([
        type,
        message,
      ]);
  });
});
