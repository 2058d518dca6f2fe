import { expect } from 'chai';
import { Prng } from '../../dataplane/common/prng.ts';
import { removeDirectory, temporaryDirectory } from '../drivers/serve.ts';
import { KilledNode } from '../soak/killed-node.ts';

const rounds = 50;
const roundsPerWholeCheck = 10;

/** A sample; `npm run soak -- node kill` has a thousand rounds. */
describe('a node that is killed under load', () => {
  let directory: string;

  beforeEach(() => {
    directory = temporaryDirectory();
  });

  afterEach(() => removeDirectory(directory));

  it(`loses nothing that it acknowledged and invents nothing, ${rounds} times`, async () => {
    const prng = new Prng(5);
    const killed = new KilledNode(directory, 5);
    for (let round = 1; round <= rounds; round += 1) {
      const isWhole = round % roundsPerWholeCheck === 0;
      const load = { count: 1 + prng.below(400), ms: prng.below(100), isWhole };
      await killed.round(`round ${round}`, load);
      if (round % 10 === 5) await killed.killAtStart();
    }
    await killed.finish();
    expect(killed.ledger.acknowledged).to.be.greaterThan(rounds * 100);
  }).timeout(240_000);
});
