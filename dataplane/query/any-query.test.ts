import { expect } from 'chai';
import * as fc from 'fast-check';
import { anyQuery } from './testing/random-term.ts';

describe('any query', () => {
  const unheard: unknown[] = [];
  const hear = (reason: unknown): void => void unheard.push(reason);
  before(() => process.prependListener('unhandledRejection', hear));
  after(() => process.removeListener('unhandledRejection', hear));

  it('answers or is refused, and leaves nothing behind', async function () {
    this.timeout(60_000);
    await fc.assert(anyQuery, { numRuns: 1_000 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(unheard).to.deep.equal([]);
  });
});
