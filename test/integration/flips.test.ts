import { expect } from 'chai';
import { Prng } from '../../dataplane/common/prng.ts';
import { FlippedStore } from '../soak/flipped-store.ts';

const flips = 40;

describe('flipped bits of the data file', () => {
  it('are found by a scrub, end the process or do not matter: no answer is silently wrong', async () => {
    const prng = new Prng(20_261_123);
    const store = await FlippedStore.prepare(1);
    try {
      // The roots of both commits: a flip has once named one of long ago, with no table below it.
      for (const offset of [88, 136, 4_096 + 88, 4_096 + 136]) {
        for (let bit = 0; bit < 8; bit += 1) await store.judge({ offset, bit });
      }
      for (let count = 0; count < flips; count += 1) await store.judge(store.anyFlip(prng));
      expect(store.silent).to.deep.equal([]);
      expect(store.outcomes.get('found') ?? 0).to.be.greaterThan(0);
    } finally {
      await store.remove();
    }
  }).timeout(120_000);
});
