import * as fc from 'fast-check';
import { differential, inMemory } from '../../dataplane/query/testing/differential.ts';
import { anyQuery } from '../../dataplane/query/testing/random-term.ts';
import type { Part, Soak } from './part.ts';

/** The query engine: random queries beside a model with indexes and without, and terms of any kind. */
const roundsAtOnce = 100;

const part =
  <T>(property: fc.IAsyncProperty<T>, what: string): Part =>
  async ({ seeds, progress }) => {
    for (let done = 0; done < seeds; done += roundsAtOnce) {
      await fc.assert(property, { numRuns: Math.min(roundsAtOnce, seeds - done) });
      if (done % (roundsAtOnce * 10) === 0) progress(`${done} of ${seeds}`);
    }
    return `${seeds} ${what}`;
  };

export const querySoak: Soak = {
  differential: part(
    differential(inMemory),
    'tables, up to 8 queries of each, as the model answers them',
  ),
  terms: part(anyQuery, 'terms put together at random, each answered or refused'),
};
