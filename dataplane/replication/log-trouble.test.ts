import { expect } from 'chai';
import { Cluster, electionMs } from './testing/group-cluster.ts';

describe('a node with replicated groups whose log is full or slow', () => {
  it('waits with a full log, and writes everything when there is room', async () => {
    const cluster = await Cluster.start();
    const log = cluster.log('a');
    log.isRefusing = true;
    const { store, group } = cluster.of('a');
    store.propose(group, 'waits');
    await cluster.nodes.settle();
    expect(group.isFull).to.equal(true);
    expect(store.texts).to.deep.equal([]);
    log.hasRoom();
    await cluster.nodes.pass(electionMs);
    expect(store.texts).to.deep.equal(['waits']);
    expect(group.isFull).to.equal(false);
  });

  it('commits without a follower whose log is full, and gives it everything when there is room', async () => {
    const cluster = await Cluster.start();
    const log = cluster.log('b');
    log.isRefusing = true;
    await cluster.write('a', 'one');
    await cluster.write('a', 'two');
    await cluster.nodes.pass(electionMs);
    expect(cluster.of('a').store.texts).to.deep.equal(['one', 'two']);
    expect(cluster.of('c').store.texts).to.deep.equal(['one', 'two']);
    expect(cluster.of('b').store.texts).to.deep.equal([]);
    const troubleOf = (id: string) => cluster.nodes.nodes.get(id)?.groups.trouble;
    expect([troubleOf('a'), troubleOf('b')]).to.deep.equal([undefined, 'full']);
    log.hasRoom();
    await cluster.nodes.pass(electionMs);
    expect(cluster.of('b').store.texts).to.deep.equal(['one', 'two']);
    expect(troubleOf('b')).to.equal(undefined);
  });

  for (const trouble of ['full', 'slow'] as const) {
    it(`gives leadership away while its log is ${trouble}`, async () => {
      const cluster = await Cluster.start();
      const log = cluster.log('a');
      if (trouble === 'full') log.isRefusing = true;
      else log.isQuick = false;
      const { store, group } = cluster.of('a');
      store.propose(group, 'waits');
      await cluster.nodes.pass(trouble === 'full' ? electionMs : 6_000);
      expect(cluster.nodes.nodes.get('a')?.groups.trouble).to.equal(trouble);
      expect(group.transferLeadership('b')).to.equal(undefined);
      await cluster.nodes.pass(electionMs);
      expect(cluster.of('b').group.leader).to.include({ isHere: true });
      await cluster.write('b', 'later');
      await cluster.nodes.pass(electionMs);
      expect(cluster.of('c').store.texts).to.deep.equal(['waits', 'later']);
    });
  }
});
