import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { runGossip } from './gossip/scenario.ts';
import { runCoverage } from './gossip/coverage.ts';
import { chartFile, charts, reportedRows, reportedSizes } from './gossip/size-report.ts';
import { runSize } from './gossip/sizes.ts';

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

describe('calm simulated clusters', () => {
  for (const nodes of [2, 3, 5, 10, 32]) {
    it(`probe each member, with about half of the probes of SWIM: ${nodes} nodes`, () => {
      const { probes, unprobed } = runCoverage(nodes, 150, nodes);
      expect(probes).to.be.within(0.49, 0.7);
      expect(unprobed).to.be.below(Math.min(20, 2 * (2 * nodes - 1)));
    });
  }
});

describe('simulated clusters of 3 to 3,162 nodes', () => {
  /** Of a node in a period, whatever the size; the document reports less than half of it. */
  const messagesMost = 60;

  for (const nodes of [3, 10, 32, 100]) {
    it(`agree on a crash and on a good-bye, with a bounded load: ${nodes} nodes`, () => {
      const result = runSize(nodes, 1);
      expect(result.suspectedMs).to.be.below(result.deadMs);
      expect(result.deadMs).to.be.at.most(result.deadEverywhereMs);
      expect(result.messagesMost).to.be.below(messagesMost);
    });
  }

  it('have a row each in the document, with times that grow no faster than the logarithm', () => {
    const rows = reportedRows();
    expect(rows.map(([nodes]) => nodes)).to.deep.equal(reportedSizes);
    for (const [nodes = 0, , suspected = 0, , everywhere = 0, left = 0, , most = 0] of rows) {
      const scale = Math.max(1, Math.log10(nodes));
      expect(suspected, `${nodes} nodes`).to.be.below(5);
      expect(everywhere, `${nodes} nodes`).to.be.below(4 * scale + 8);
      expect(left, `${nodes} nodes`).to.be.below(2 * scale);
      expect(most, `${nodes} nodes`).to.be.below(messagesMost);
    }
  });

  it('have charts that show the table: PHOTONDB_TEST_UPDATE=1 draws them again', () => {
    for (const [name, svg] of Object.entries(charts())) {
      if (process.env['PHOTONDB_TEST_UPDATE'] === '1') writeFileSync(chartFile(name), svg);
      expect(readFileSync(chartFile(name), 'utf8'), name).to.equal(svg);
    }
  });
});
