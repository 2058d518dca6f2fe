import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Prng } from '../common/prng.ts';
import { KilledProcess } from './testing/killed-process.ts';

const rounds = 5;

/** A sample; `npm run soak -- wal` has a thousand rounds. */
describe('a log whose process is killed', () => {
  let directory: string;

  beforeEach(async () => {
    directory = join(await mkdtemp(join(tmpdir(), 'photondb-wal-')), 'wal');
  });

  afterEach(() => rm(join(directory, '..'), { recursive: true, force: true }));

  for (const releaseEvery of [0, 100]) {
    const how = releaseEvery === 0 ? '' : ', also while it releases and recycles';
    it(`has every acknowledged entry, round after round${how}`, async () => {
      const prng = new Prng(11);
      const killed = new KilledProcess({ directory, groups: 5, releaseEvery });
      for (let round = 1; round <= rounds; round += 1) {
        await killed.runAndKill(10 + prng.below(600));
        await killed.check(`round ${round}`);
      }
      const entries = [...killed.ledger.values()].reduce((sum, index) => sum + index, 0);
      expect(entries).to.be.greaterThan(1_000);
    }).timeout(60_000);
  }
});
