import { expect } from 'chai';
import { runGossip } from './gossip/scenario.ts';

/** A sample of what `npm run simulate -- --scenario gossip` runs for many seeds. */
const seeds = 150;

describe('a simulated cluster of gossiping nodes under faults', () => {
  for (let from = 1; from <= seeds; from += 50) {
    it(`agrees on who runs when the faults end: seeds ${from} to ${from + 49}`, () => {
      for (let seed = from; seed < from + 50; seed += 1) {
        try {
          runGossip(seed);
        } catch (error) {
          throw new Error(`npm run simulate -- --scenario gossip --first ${seed} --seeds 1`, {
            cause: error,
          });
        }
      }
    });
  }

  // Found by the simulation: each seed stays as the test of what it found.
  it('survives seed 1471: nodes that met through a seed which is gone permanently', () => {
    runGossip(1471);
  });

  it('does the same for the same seed', () => {
    expect(runGossip(5)).to.deep.equal(runGossip(5));
  });
});
