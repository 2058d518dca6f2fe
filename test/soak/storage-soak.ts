import { expect } from 'chai';
import { Prng } from '../../dataplane/common/prng.ts';
import { FlippedStore } from './flipped-store.ts';
import type { Flip } from './flipped-store.ts';
import type { Part, Soak, SoakOptions } from './part.ts';

async function judgeAll(
  flipsOf: (store: FlippedStore, seed: number) => Iterable<Flip>,
  { progress }: SoakOptions,
): Promise<string> {
  const seed = Date.now() % 1_000_000_000;
  const store = await FlippedStore.prepare(seed);
  let count = 0;
  try {
    for (const flip of flipsOf(store, seed)) {
      await store.judge(flip);
      count += 1;
      if (count % 100 === 0) progress(`${count} flips: ${said(store)}`);
    }
    expect(store.silent, `seed ${seed}, wrong answers after a scrub`).to.deep.equal([]);
    return `${count} flips, seed ${seed}: ${said(store)}`;
  } finally {
    await store.remove();
  }
}

const said = ({ outcomes }: FlippedStore): string =>
  [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ');

/** Bits of LMDB's file, one at a time; `npm test` has a sample of them. */
const flips: Part = (options) =>
  judgeAll(function* (store, seed) {
    const prng = new Prng(seed);
    for (let count = 0; count < options.seeds; count += 1) yield store.anyFlip(prng);
  }, options);

/** Every bit of what LMDB believes unchecked. */
const roots: Part = (options) => judgeAll((store) => store.rootFlips(), options);

export const storageSoak: Soak = { flips, roots };
