import { expect } from 'chai';
import { machineChance } from '../node/chance.ts';
import { RotationError } from './errors.ts';
import { digestOf, RingKeeper } from './ring-keeper.ts';
import { rotateRing } from './ring-rotation.ts';
import { MemoryFiles } from './testing/memory-files.ts';

/** Members with rings of their own, of which some do not answer. */
class Rings {
  readonly founder = RingKeeper.create(new MemoryFiles(), machineChance);
  readonly others = new Map(
    ['b', 'c'].map((id) => [id, RingKeeper.receive(new MemoryFiles(), this.founder.stored)]),
  );
  readonly silent = new Set<string>();

  /** The first key of each ring decrypts everywhere, whenever it is looked at. */
  check(): void {
    const all = [this.founder, ...this.others.values()];
    for (const { ring } of all) {
      for (const other of all) expect(other.ring.find(ring.primary.id)).to.not.equal(undefined);
    }
  }

  rotate(): Promise<void> {
    const { founder, others, silent } = this;
    return rotateRing({
      members: () => [...others.keys()].map((id) => ({ id, name: `node ${id}` })),
      steps: [
        () => founder.withNewKey(machineChance),
        () => founder.withNewestFirst(),
        () => founder.withFirstOnly(),
      ],
      adopt: (ring) => {
        founder.adopt(ring);
        this.check();
      },
      write: async (id, ring) => {
        if (silent.has(id)) throw new Error('no answer');
        const keeper = others.get(id) as RingKeeper;
        keeper.adopt(ring);
        this.check();
        return digestOf(keeper.stored);
      },
    });
  }
}

describe('a rotation of the gossip keys', () => {
  it('replaces the key on every member, and each can read every other one throughout', async () => {
    const rings = new Rings();
    const before = rings.founder.ring.primary.id;
    for (let round = 0; round < 3; round += 1) await rings.rotate();
    for (const { ring } of [rings.founder, ...rings.others.values()]) {
      expect(ring.ids).to.deep.equal(rings.founder.ring.ids);
      expect(ring.ids).to.have.lengthOf(1).and.not.include(before);
    }
  });

  it('removes no key before every member has the new one', async () => {
    const rings = new Rings();
    const before = rings.founder.ring.primary.id;
    rings.silent.add('c');
    let failure: unknown;
    await rings.rotate().catch((error: unknown) => (failure = error));
    expect(failure).to.be.instanceOf(RotationError);
    expect((failure as Error).message).to.contain('node c (no answer)');
    rings.check();
    expect(rings.founder.ring.primary.id).to.equal(before);
    // It is complete when the member answers.
    rings.silent.clear();
    await rings.rotate();
    expect(rings.founder.ring.ids).to.have.lengthOf(1).and.not.include(before);
    rings.check();
  });
});
