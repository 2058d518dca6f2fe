import { expect } from 'chai';
import { Prng } from '../../dataplane/common/prng.ts';
import { FlippedStore } from './flipped-store.ts';
import type { Part, Soak } from './part.ts';

/** Bits of LMDB's file, one at a time; `npm test` has a sample of them. */
const flips: Part = async ({ seeds, progress }) => {
  const seed = Date.now() % 1_000_000_000;
  const prng = new Prng(seed);
  const store = await FlippedStore.prepare(seed);
  try {
    for (let count = 1; count <= seeds; count += 1) {
      await store.judge(store.anyFlip(prng));
      if (count % 100 === 0) progress(`${count} of ${seeds} flips: ${said(store)}`);
    }
    expect(store.silent, `seed ${seed}, wrong answers after a scrub`).to.deep.equal([]);
    return `${seeds} flips from seed ${seed}: ${said(store)}`;
  } finally {
    await store.remove();
  }
};

const said = ({ outcomes }: FlippedStore): string =>
  [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ');

export const storageSoak: Soak = { flips };
