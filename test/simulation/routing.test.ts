import { expect } from 'chai';
import { runRouting } from './database/routing-scenario.ts';

/** A sample of what `npm run simulate -- --scenario routing` runs for many seeds. */
const seeds = 40;
const slice = 10;

describe('simulated routers over replicas that are moved under faults', function routing() {
  this.timeout(300_000);

  for (let from = 1; from <= seeds; from += slice) {
    it(`apply no write twice, and show no stale one: seeds ${from} to ${from + slice - 1}`, async () => {
      for (let seed = from; seed < from + slice; seed += 1) {
        try {
          await runRouting(seed);
        } catch (error) {
          throw new Error(`npm run simulate -- --scenario routing --first ${seed} --seeds 1`, {
            cause: error,
          });
        }
      }
    });
  }

  // Each of them has found a fault.
  for (const [seed, what] of [
    [600_034, 'elect nobody by the members of an older time, on a node without its former log'],
    [78, 'remember what a replica had acknowledged before it moved away and came back'],
    [600_041, 'remove what a replica leaves only when no state is written for it any more'],
  ] as const) {
    it(`${what}: seed ${seed}`, async () => {
      await runRouting(seed);
    });
  }

  it('do the same for the same seed, event by event', async () => {
    const lines: [string[], string[]] = [[], []];
    const results = [];
    for (const trace of lines) results.push(await runRouting(5, (line) => trace.push(line)));
    expect(results[0]).to.deep.equal(results[1]);
    expect(lines[0]).to.deep.equal(lines[1]);
  });

  it('meet what they are to prove: writes, reads, lost answers, moved replicas', async () => {
    const sum = { acknowledged: 0, reads: 0, lost: 0, moves: 0 };
    for (let seed = 1; seed <= 10; seed += 1) {
      const { acknowledged, reads, lost, moves } = await runRouting(seed);
      sum.acknowledged += acknowledged;
      sum.reads += reads;
      sum.lost += lost;
      sum.moves += moves;
    }
    expect(sum.acknowledged).to.be.greaterThan(1_000);
    expect(sum.reads).to.be.greaterThan(500);
    expect(sum.lost).to.be.greaterThan(20);
    expect(sum.moves).to.be.greaterThan(40);
  });
});
