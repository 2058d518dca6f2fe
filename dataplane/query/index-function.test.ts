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
});
