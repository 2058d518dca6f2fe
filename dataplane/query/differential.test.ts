import * as fc from 'fast-check';
import { differential, inMemory } from './testing/differential.ts';

describe('the query engine', () => {
  it('answers what a model answers, with indexes and without', async function () {
    this.timeout(60_000);
    await fc.assert(differential(inMemory), { numRuns: 250 });
  });
});
