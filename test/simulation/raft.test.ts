import { expect } from 'chai';
import { runRaft } from './raft/scenario.ts';

/** A sample of what `npm run simulate -- --scenario raft` runs for many seeds. */
const seeds = 300;

describe('a simulated Raft group under faults', () => {
  for (let from = 1; from <= seeds; from += 50) {
    it(`keeps what it acknowledged and answers linearizably: seeds ${from} to ${from + 49}`, () => {
      for (let seed = from; seed < from + 50; seed += 1) {
        try {
          runRaft(seed);
        } catch (error) {
          throw new Error(`npm run simulate -- --scenario raft --first ${seed} --seeds 1`, {
            cause: error,
          });
        }
      }
    });
  }

  // Found by the simulation: each seed stays as the test of what it found.
  const found: Readonly<Record<string, number>> = {
    'a removed voter whose log alone can end the change does not campaign': 20_150,
  };
  for (const [bug, seed] of Object.entries(found)) {
    it(`survives seed ${seed}: ${bug}`, () => {
      runRaft(seed);
    });
  }

  it('does the same for the same seed', () => {
    const lines: [string[], string[]] = [[], []];
    const [one, other] = lines.map((trace) => runRaft(7, (line) => trace.push(line)));
    expect(one).to.deep.equal(other);
    expect(lines[0]).to.deep.equal(lines[1]);
  });

  it('meets what it is to prove: elections, snapshots, leases', () => {
    const sum = { terms: 0, snapshots: 0, leaseReads: 0 };
    for (let seed = 1; seed <= 50; seed += 1) {
      const { terms, snapshots, leaseReads } = runRaft(seed);
      sum.terms += terms;
      sum.snapshots += snapshots;
      sum.leaseReads += leaseReads;
    }
    expect(sum.terms).to.be.greaterThan(100);
    expect(sum.snapshots).to.be.greaterThan(25);
    expect(sum.leaseReads).to.be.greaterThan(1_000);
  });
});
