import { expect } from 'chai';
import { runCluster, runQuarantine, runReconfiguration } from './cluster/scenario.ts';

/** A sample of what `npm run simulate -- --scenario cluster` runs for many seeds. */
const seeds = 300;
const slice = 25;

describe('a simulated cluster with the real log and driver under faults', function cluster() {
  this.timeout(300_000);

  for (let from = 1; from <= seeds; from += slice) {
    it(`keeps what it acknowledged and answers linearizably: seeds ${from} to ${from + slice - 1}`, async () => {
      for (let seed = from; seed < from + slice; seed += 1) {
        try {
          await runCluster(seed);
        } catch (error) {
          throw new Error(`npm run simulate -- --scenario cluster --first ${seed} --seeds 1`, {
            cause: error,
          });
        }
      }
    });
  }

  it('keeps it while members change, links are cut, and processes die or stand still: 50 seeds', async () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      try {
        await runReconfiguration(seed);
      } catch (error) {
        throw new Error(
          `npm run simulate -- --scenario reconfiguration --first ${seed} --seeds 1`,
          {
            cause: error,
          },
        );
      }
    }
  });

  it('keeps it while some members take others for quarantined: 50 seeds', async () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      try {
        await runQuarantine(seed);
      } catch (error) {
        throw new Error(`npm run simulate -- --scenario quarantine --first ${seed} --seeds 1`, {
          cause: error,
        });
      }
    }
  });

  // Each of them has found a fault.
  for (const seed of [956, 2034, 2534]) {
    it(`keeps it while members change: seed ${seed}`, async () => {
      await runReconfiguration(seed);
    });
  }

  it('does the same for the same seed, event by event', async () => {
    const lines: [string[], string[]] = [[], []];
    const results = [];
    for (const trace of lines) results.push(await runCluster(7, (line) => trace.push(line)));
    expect(results[0]).to.deep.equal(results[1]);
    expect(lines[0]).to.deep.equal(lines[1]);
  });

  it('meets what it is to prove: elections, snapshots, leases', async () => {
    const sum = { terms: 0, snapshots: 0, leaseReads: 0, acknowledged: 0 };
    for (let seed = 1; seed <= 20; seed += 1) {
      const { terms, snapshots, leaseReads, acknowledged } = await runCluster(seed);
      sum.terms += terms;
      sum.snapshots += snapshots;
      sum.leaseReads += leaseReads;
      sum.acknowledged += acknowledged;
    }
    expect(sum.terms).to.be.greaterThan(60);
    expect(sum.snapshots).to.be.greaterThan(10);
    expect(sum.leaseReads).to.be.greaterThan(1_000);
    expect(sum.acknowledged).to.be.greaterThan(2_000);
  });
});
