import * as fc from 'fast-check';
import { differential, inMemory } from '../../dataplane/query/testing/differential.ts';
import type { Soak } from './part.ts';

/** The query engine beside its model: random documents, and random queries with indexes and without. */
const roundsAtOnce = 100;

export const querySoak: Soak = {
  async differential({ seeds, progress }) {
    for (let done = 0; done < seeds; done += roundsAtOnce) {
      await fc.assert(differential(inMemory), { numRuns: Math.min(roundsAtOnce, seeds - done) });
      if (done % (roundsAtOnce * 10) === 0) progress(`${done} of ${seeds}`);
    }
    return `${seeds} tables, up to 8 queries of each, as the model answers them`;
  },
};
