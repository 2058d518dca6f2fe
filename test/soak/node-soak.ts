import { median } from '../bench/measure.ts';
import { Prng } from '../../dataplane/common/prng.ts';
import { removeDirectory, temporaryDirectory } from '../drivers/serve.ts';
import { FullNode } from './full-node.ts';
import { KilledNode } from './killed-node.ts';
import type { Part, Soak } from './part.ts';

/** So often everything is looked at, not only a sample; the last look is always at everything. */
const roundsPerWholeCheck = 25;
/** Long enough for a checkpoint to let go of segments. */
const longMs = 2_500;

const kill: Part = async ({ rounds, progress }) => {
  const directory = temporaryDirectory();
  const seed = Date.now() % 2 ** 31;
  const prng = new Prng(seed);
  const killed = new KilledNode(directory, seed);
  progress(`seed ${seed}`);
  try {
    for (let round = 1; round <= rounds; round += 1) {
      const isWhole = round % roundsPerWholeCheck === 0;
      const ms = round % 10 === 0 ? longMs : prng.below(300);
      await killed.round(`round ${round}`, { count: 1 + prng.below(600), ms, isWhole });
      if (prng.next() < 0.15) await killed.killAtStart();
      if (isWhole) progress(`${round} of ${rounds}: ${killed.ledger.acknowledged} acknowledged`);
    }
    const documents = await killed.finish();
    return [
      `${rounds} nodes killed under load and ${killed.killsAtStart} while starting`,
      `${killed.ledger.acknowledged} acknowledged keys, none lost, none invented`,
      `${documents} documents at the end`,
      `served again after ${median(killed.startMs).toFixed(0)} ms, at most ${Math.max(...killed.startMs).toFixed(0)}`,
    ].join('; ');
  } finally {
    removeDirectory(directory);
  }
};

const full: Part = async ({ rounds, progress }) => {
  const directory = temporaryDirectory();
  const seed = Date.now() % 2 ** 31;
  const node = new FullNode(directory, seed);
  progress(`seed ${seed}`);
  try {
    for (let round = 1; round <= rounds; round += 1) {
      await node.round(`round ${round}`, round % 2 === 0);
      if (round % 10 === 0)
        progress(`${round} of ${rounds}: ${node.counts.acknowledged} acknowledged`);
    }
    const { acknowledged, refused } = node.counts;
    return `${rounds} rounds, ${acknowledged} documents acknowledged, ${refused} refused, none lost, none invented`;
  } finally {
    removeDirectory(directory);
  }
};

export const nodeSoak: Soak = { kill, full };
