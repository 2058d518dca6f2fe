import { expect } from 'chai';
import { encodeKey } from '../datum/key.ts';
import { compileIndex } from './index-function.ts';
import { fn } from './testing/run.ts';

const keysOf = (body: (row: unknown) => unknown, document: object): string[] => {
  const keys = compileIndex(JSON.stringify(fn(body)), false, false);
  return keys(JSON.stringify(document)).map((key) => Buffer.from(key).toString('hex'));
};
const key = (value: number | string): string => Buffer.from(encodeKey(value)).toString('hex');
const field = (row: unknown, name: string): unknown => [170, [row, name]];

describe('an index function', () => {
  const sum = (row: unknown): unknown => [145, [field(row, 'a')]];

  it('gives the key of a document that it fits', () => {
    expect(keysOf(sum, { a: [1, 2] })).to.deep.equal([key(3)]);
    expect(keysOf((row) => [24, [sum(row), 1]], { a: [1, 2] })).to.deep.equal([key(4)]);
  });

  const misfits: readonly (readonly [string, (row: unknown) => unknown, object])[] = [
    ['has no such field', (row) => field(row, 'a'), {}],
    ['has null there', (row) => field(row, 'a'), { a: null }],
    ['has no sequence there', sum, { a: 'text' }],
    ['makes it divide by zero', (row) => [27, [1, field(row, 'a')]], { a: 0 }],
    ['is refused by the function itself', () => [12, ['no']], {}],
    ['makes it wait', () => [145, [[173, [3]]]], {}],
    ['needs what there is not', (row) => [14, [field(row, 'a')]], { a: 'x' }],
  ];
  for (const [title, body, document] of misfits) {
    it(`gives no key for a document that ${title}, and goes on`, async () => {
      let unhandled: unknown;
      const hear = (reason: unknown): void => {
        unhandled = reason;
      };
      process.prependOnceListener('unhandledRejection', hear);
      expect(keysOf(body, document)).to.deep.equal([]);
      await new Promise((resolve) => setImmediate(resolve));
      process.removeListener('unhandledRejection', hear);
      expect(unhandled).to.equal(undefined);
    });
  }

  /** What a heap of work an expression makes of a document, without waiting. */
  const list = Array.from({ length: 1_000 }, (_, n) => n);
  let variables = 1;
  const over = (sequence: unknown, body: (item: unknown) => unknown): unknown => {
    variables += 1;
    const variable = [10, [variables]];
    return [38, [sequence, [69, [[2, [variables]], body(variable)]]]];
  };
  const heavy: readonly (readonly [string, (row: unknown) => unknown])[] = [
    ['loops within loops', (row) => over(field(row, 'a'), (x) => over(field(row, 'a'), () => x))],
    [
      'a text that doubles',
      (row) => {
        const twice = [
          69,
          [
            [2, [9]],
            [24, [10, 10].map((term) => [term, [9]])],
          ],
        ];
        return list.slice(0, 25).reduce<unknown>((text) => [64, [twice, text]], field(row, 'text'));
      },
    ],
    [
      'sorting again and again',
      (row) =>
        over(field(row, 'a'), () => [
          43,
          [
            [
              41,
              [
                field(row, 'a'),
                [
                  69,
                  [
                    [2, [9]],
                    [10, [9]],
                  ],
                ],
              ],
            ],
          ],
        ]),
    ],
    [
      'comparing everything again and again',
      (row) => over(field(row, 'a'), () => [17, [row, [35, [row, {}]]]]),
    ],
    [
      'a search again and again',
      (row) => over(field(row, 'a'), () => [97, [field(row, 'text'), '(a|aa)+$']]),
    ],
  ];
  for (const [title, body] of heavy) {
    it(`leaves out a document on which it needs too much: ${title}`, () => {
      const failures: unknown[] = [];
      const keysFor = compileIndex(JSON.stringify(fn(body)), false, false, (error) =>
        failures.push(error),
      );
      expect(keysFor(JSON.stringify({ a: list, text: 'a'.repeat(1_000) }))).to.deep.equal([]);
      expect(failures).to.have.length(1);
      expect((failures[0] as Error).message).to.match(/^It needs more than \d+ units of work/);
      // It has as much for the next document.
      expect(keysFor(JSON.stringify({ a: [1], text: '' }))).to.have.length(1);
    });
  }

  it('may do more on a larger document', () => {
    const words = (row: unknown): unknown =>
      over([149, [field(row, 'text')]], (word) => [142, [word]]);
    const text = Array.from({ length: 20_000 }, (_, n) => `Word${n}`).join(' ');
    const keysFor = compileIndex(JSON.stringify(fn(words)), true, false);
    expect(keysFor(JSON.stringify({ text }))).to.have.length(20_000);
  });

  it('looks into a large document as often as it likes', () => {
    const document = { a: Array.from({ length: 50_000 }, (_, n) => n), tag: 'x' };
    const tag = (row: unknown): unknown => field(row, 'tag');
    expect(keysOf((row) => [24, Array(100).fill(tag(row))], document)).to.have.length(1);
    expect(keysOf((row) => [45, [field(row, 'a'), -1]], document)).to.have.length(1);
  });

  it('begins no stream, which nobody would wait for', async () => {
    const endless = [145, [over([173, []], () => 1)]];
    expect(keysOf(() => endless, {})).to.deep.equal([]);
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  });

  for (const [title, document] of [
    ['bytes that are none', '{"a":{"$reql_type$":"BINARY","data":"!"}}'],
    ['a time without seconds', '{"a":{"$reql_type$":"TIME"}}'],
    ['no JSON', '{"a":RowValue'],
    ['no object', '[1]'],
    ['more nesting than there may be', `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
  ] as const) {
    for (const definition of ['a', fn((row) => field(row, 'a'))]) {
      it(`comes to an end on ${title}, ${typeof definition === 'string' ? 'by name' : 'by a function'}`, () => {
        const keys = compileIndex(JSON.stringify(definition), false, false)(document);
        expect(keys.length).to.be.lessThan(2);
      });
    }
  }
});
