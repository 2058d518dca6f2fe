import { expect } from 'chai';
import { placesOf, survivorsOf, walSuite } from './mutants.ts';
import { clusterSuite } from './cluster-mutants.ts';
import { gossipSuite } from './gossip-mutants.ts';
import { raftSuite } from './raft-mutants.ts';
import { replicaSuite } from './replica-mutants.ts';
import { storageSuite } from './storage-mutants.ts';

describe('the mutants of the log, of the storage, of Raft, of its driver and of gossip', () => {
  it('have their place in the sources: a change there needs a new mutant', async () => {
    for (const mutant of [
      ...walSuite.mutants,
      ...storageSuite.mutants,
      ...raftSuite.mutants,
      ...gossipSuite.mutants,
      ...clusterSuite.mutants,
      ...replicaSuite.mutants,
    ]) {
      expect(await placesOf(mutant), `${mutant.file}: ${mutant.bug}`).to.equal(1);
    }
  });

  it('are found; a sample, soak has all', async () => {
    const mutants = storageSuite.mutants.filter(({ bug }) =>
      /^the position is|^statistics are not|^replay skips/.test(bug),
    );
    expect(mutants.length).to.equal(3);
    expect(await survivorsOf({ ...storageSuite, mutants }, () => undefined)).to.deep.equal([]);
  }).timeout(180_000);
});
