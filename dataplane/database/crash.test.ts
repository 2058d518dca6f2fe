import { expect } from 'chai';
import { crowdAgainAndAgain, CutDatabase, cutAgainAndAgain } from './testing/power-cut.ts';

/** A sample; `npm run soak -- database crash` has thousands of seeds. */
const steps = 70;
const seeds = 60;
const crowdedSeeds = 12;

describe('a database whose power goes', () => {
  it('at any operation of its log or its store, has what it acknowledged, and nothing in part', async () => {
    let cuts = 0;
    for (let at = 1; ; at += 1) {
      const database = new CutDatabase(7);
      const left = (['flushed', 'written', 'failed'] as const)[at % 3] ?? 'flushed';
      const about = `cut at ${at}, ${left}`;
      if (!(await database.live(steps, { at, left }, about))) break;
      await database.look(about);
      cuts += 1;
    }
    expect(cuts).to.be.greaterThan(50);
  }).timeout(300_000);

  it('again and again, also while it recovers, has it for many workloads', async () => {
    let cuts = 0;
    for (let seed = 1; seed <= seeds; seed += 1) cuts += await cutAgainAndAgain(seed);
    expect(cuts).to.be.greaterThan(seeds);
  }).timeout(300_000);

  it('or whose log and memtable are full, has what it acknowledged, with and without a cut', async () => {
    const all = { acknowledged: 0, refused: 0, lost: 0 };
    for (let seed = 1; seed <= crowdedSeeds; seed += 1) {
      const { acknowledged, refused, lost } = await crowdAgainAndAgain(seed);
      all.acknowledged += acknowledged;
      all.refused += refused;
      all.lost += lost;
    }
    for (const count of Object.values(all)) expect(count).to.be.greaterThan(0);
  }).timeout(300_000);
});
