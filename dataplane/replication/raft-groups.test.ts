import { expect } from 'chai';
import { decodeMessages, encodeMessages } from '../raft/message-codec.ts';
import { hardStateKind, restartKind, truncateKind } from '../wal/record.ts';
import { logOrder } from './entry-kind.ts';
import { MustRejoinError, NotLeaderError } from './errors.ts';
import type { RaftGroup } from './raft-group.ts';
import { RecoveredGroups } from './recovered-groups.ts';
import type { ReplicatedGroup } from './replicated-group.ts';
import { Cluster, electionMs, ids, members } from './testing/group-cluster.ts';
import { timing } from './testing/nodes.ts';
import { Store } from './testing/store.ts';

const rejection = async (promise: Promise<void> | undefined): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('groups of three nodes', () => {
  it('elect the first voter at once when they are new, and know who leads', async () => {
    const cluster = await Cluster.start();
    expect(cluster.of('a').group.leader).to.deep.equal({ node: 'a', isHere: true });
    expect(cluster.of('b').group.leader).to.deep.equal({ node: 'a', isHere: false });
    const { refusal } = cluster.of('b').group;
    expect(refusal).to.include({ code: 'replication.not_leader', leader: 'a' });
    expect(cluster.of('c').store.propose(cluster.of('c').group, 'x')).to.be.instanceOf(
      NotLeaderError,
    );
  });

  it('hand over own proposals as committed, and those of others as replicated', async () => {
    const cluster = await Cluster.start();
    await cluster.write('a', 'one', 'two');
    await cluster.nodes.pass(timing.tickMs * timing.heartbeatTicks);
    expect(cluster.of('a').store.events).to.deep.equal(['leads', 'committed 3']);
    expect(cluster.of('b').store.events).to.deep.equal(['replicated one', 'replicated two']);
    expect([...cluster.of('a').group.matches.values()]).to.deep.equal([3, 3, 3]);
  });

  it('gather what is proposed while the log writes, and send and write it together', async () => {
    const cluster = await Cluster.start();
    const log = cluster.log('a');
    log.isQuick = false;
    await cluster.write('a', 'one');
    cluster.nodes.sent.length = 0;
    await cluster.write('a', 'two');
    await cluster.write('a', 'three');
    expect(cluster.nodes.sent).to.deep.equal([]);
    log.sync();
    await cluster.nodes.settle();
    expect(cluster.entriesSent).to.deep.equal(['a>b bulk', 'a>c bulk']);
    expect(log.entries(1)).to.have.length(2);
    log.sync();
    await cluster.nodes.settle();
    expect(cluster.of('a').store.texts).to.deep.equal(['one', 'two', 'three']);
  });

  it('do not gather for the time of a write that is slow: the others go on', async () => {
    const cluster = await Cluster.start();
    cluster.log('a').isQuick = false;
    await cluster.write('a', 'one');
    await cluster.write('a', 'two');
    await cluster.nodes.pass(10 * timing.tickMs);
    expect(cluster.log('a').entries(1)).to.have.length(1);
    expect(cluster.of('b').store.texts).to.deep.equal(['one', 'two']);
    cluster.log('a').sync();
    await cluster.nodes.settle();
    cluster.log('a').sync();
    await cluster.nodes.settle();
    expect(cluster.of('a').store.texts).to.deep.equal(['one', 'two']);
  });

  it('gather what is proposed until the others have what came before, for a short time', async () => {
    const cluster = await Cluster.start();
    cluster.nodes.isolated.add('a');
    await cluster.write('a', 'one');
    cluster.nodes.sent.length = 0;
    await cluster.write('a', 'two');
    await cluster.write('a', 'three');
    expect(cluster.nodes.sent).to.deep.equal([]);
    await cluster.nodes.pass(timing.tickMs);
    expect(cluster.entriesSent).to.deep.equal(['a>b bulk', 'a>c bulk']);
    cluster.nodes.isolated.clear();
    await cluster.nodes.pass(2 * timing.heartbeatTicks * timing.tickMs);
    expect(cluster.texts()).to.deep.equal(ids.map(() => ['one', 'two', 'three']));
  });

  it('send what is proposed at once when the others have what came before', async () => {
    const cluster = await Cluster.start();
    cluster.nodes.sent.length = 0;
    for (const text of ['one', 'two']) await cluster.write('a', text);
    expect(cluster.entriesSent).to.have.length(2 * 2);
  });

  it('take no proposal in the turn in which a message ends the leadership', async () => {
    const cluster = await Cluster.start();
    await cluster.write('a', 'one');
    const { store, group } = cluster.of('a');
    cluster.nodes.isolated.add('a');
    for (const text of ['two', 'three', 'four']) store.propose(group, text);
    await cluster.nodes.settle();
    const { last, lastTerm } = (group as RaftGroup).raft.log;
    const [previousIndex, term] = [last - 3, lastTerm + 1];
    // The next leader has none of them: an entry of its own takes the place of the first.
    const entries = [{ kind: 'empty', term, index: previousIndex + 1 }] as const;
    const message = { type: 'append', from: 'b', to: 'a', term, previousIndex } as const;
    const append = { ...message, previousTerm: lastTerm, entries, committed: previousIndex };
    const { groups } = cluster.nodes.nodes.get('a') ?? expect.fail();
    groups.receive('b', encodeMessages([{ group: 1, message: append }]));
    expect(group.refusal).to.include({ code: 'replication.not_leader', leader: 'b' });
    expect(store.propose(group, 'five')).to.be.instanceOf(NotLeaderError);
    expect(store.events.at(-1)).to.match(/^committed/);
    await cluster.nodes.settle();
    expect(store.events.slice(-2)).to.deep.equal(['withdrawn OutcomeUnknownError', 'follows']);
    expect(store.proposed.size).to.equal(0);
  });

  it('wait with entries of others while the machine has no room, and lose none', async () => {
    const cluster = await Cluster.start();
    const { store } = cluster.of('b');
    await cluster.write('a', 'one');
    await cluster.nodes.pass(electionMs);
    const room = Promise.withResolvers<void>();
    store.room = room.promise;
    await cluster.write('a', 'two', 'three');
    await cluster.nodes.pass(electionMs);
    expect(store.texts).to.deep.equal(['one']);
    expect(cluster.of('a').store.texts).to.deep.equal(['one', 'two', 'three']);
    store.room = undefined;
    room.resolve();
    await cluster.nodes.settle();
    expect(store.texts).to.deep.equal(['one', 'two', 'three']);
    await cluster.write('a', 'four');
    await cluster.nodes.pass(electionMs);
    expect(store.texts.at(-1)).to.equal('four');
  });

  it('say that the outcome is unknown when leadership is lost, and what came of it', async () => {
    const cluster = await Cluster.start();
    await cluster.write('a', 'before');
    cluster.nodes.isolated.add('a');
    await cluster.write('a', 'alone');
    await cluster.nodes.pass(4 * electionMs);
    const { store } = cluster.of('a');
    expect(store.events).to.deep.equal([
      'leads',
      'committed 2',
      'withdrawn OutcomeUnknownError',
      'follows',
    ]);
    const leader = ids.find((id) => cluster.of(id).store.isLeading);
    if (leader === undefined) throw new Error('nobody leads');
    await cluster.write(leader, 'after');
    cluster.nodes.isolated.clear();
    await cluster.nodes.pass(electionMs);
    expect(cluster.texts()).to.deep.equal([1, 2, 3].map(() => ['before', 'after']));
    expect(store.events.at(-1)).to.equal('replicated after');
  });

  it('answer reads under a lease, and ask the others when it is over', async () => {
    const cluster = await Cluster.start();
    const { group } = cluster.of('a');
    await cluster.nodes.pass(2 * timing.heartbeatTicks * timing.tickMs);
    expect(group.readable()).to.equal(undefined);
    // The process stood still: its clock went on, its ticks did not.
    cluster.nodes.clock.advance(10);
    cluster.nodes.isolated.add('a');
    await cluster.nodes.pass(electionMs - 2 * timing.tickMs);
    const reading = group.readable();
    expect(reading).to.not.equal(undefined);
    cluster.nodes.isolated.clear();
    expect(await rejection(Promise.race([reading, cluster.nodes.pass(100)]))).to.equal(undefined);
    cluster.nodes.isolated.add('a');
    await cluster.nodes.pass(electionMs - 2 * timing.tickMs);
    const late = rejection(group.readable());
    await cluster.nodes.pass(3 * electionMs);
    expect(await late).to.be.instanceOf(NotLeaderError);
  });

  it('answer a read when everything that it must see is handed over', async () => {
    const cluster = await Cluster.start();
    const { store, group } = cluster.of('a');
    cluster.log('a').isQuick = false;
    // The others have it, so that it is committed; this node does not have it durably yet.
    await cluster.write('a', 'one');
    cluster.nodes.clock.advance(2 * electionMs);
    const seen: string[][] = [];
    const reading = group.readable()?.then(() => seen.push([...store.texts]));
    expect(reading).to.not.equal(undefined);
    await cluster.nodes.settle();
    expect(seen).to.deep.equal([]);
    cluster.log('a').sync();
    await cluster.nodes.settle();
    await reading;
    expect(seen).to.deep.equal([['one']]);
  });

  it('ask the others for every read once they invited somebody to campaign', async () => {
    const cluster = await Cluster.start();
    const { group } = cluster.of('a');
    await cluster.nodes.pass(electionMs);
    expect(group.readable()).to.equal(undefined);
    cluster.nodes.isolated.add('b');
    expect(group.transferLeadership('b')).to.equal(undefined);
    await cluster.nodes.pass(2 * electionMs);
    expect(group.refusal).to.equal(undefined);
    const reading = group.readable();
    expect(reading).to.not.equal(undefined);
    await cluster.nodes.settle();
    await reading;
  });

  it('say nothing and count no time when nothing happens, until a node is suspected', async () => {
    const cluster = await Cluster.start(20);
    await cluster.write('a', 'one');
    await cluster.nodes.pass(1_000);
    expect(cluster.nodes.clock.sleeping).to.equal(0);
    cluster.nodes.sent.length = 0;
    await cluster.nodes.pass(5_000);
    expect(cluster.nodes.sent).to.deep.equal([]);
    cluster.nodes.isolated.add('a');
    for (const id of ['b', 'c']) cluster.nodes.nodes.get(id)?.groups.suspected('a');
    await cluster.nodes.pass(5 * electionMs);
    expect(['b', 'c'].some((id) => cluster.of(id).store.isLeading)).to.equal(true);
    cluster.nodes.isolated.clear();
    const leader = cluster.of('b').store.isLeading ? 'b' : 'c';
    await cluster.write(leader, 'two');
    await cluster.nodes.pass(electionMs);
    expect(cluster.texts()[0]).to.deep.equal(['one', 'two']);
  });

  it('share frames: heartbeats of many groups are one for each node', async () => {
    const cluster = await Cluster.start();
    for (let group = 2; group <= 40; group += 1) {
      for (const id of ids)
        cluster.nodes.nodes.get(id)?.groups.join(group, new Store(), {
          applied: { term: 0, index: 0 },
          configuration: members,
        });
    }
    await cluster.nodes.pass(200);
    cluster.nodes.sent.length = 0;
    await cluster.nodes.pass(timing.heartbeatTicks * timing.tickMs * 10);
    const toB = cluster.nodes.sent.filter((each) => each.startsWith('a>b'));
    expect(toB.length).to.be.at.most(20);
  });

  it('send entries of the log to a member that was away for long', async () => {
    const cluster = await Cluster.start();
    cluster.nodes.isolated.add('c');
    for (let at = 0; at < 60; at += 1) await cluster.write('a', `${at} ${'x'.repeat(200)}`);
    cluster.nodes.isolated.clear();
    await cluster.nodes.pass(electionMs);
    expect(cluster.of('c').store.texts).to.deep.equal(cluster.of('a').store.texts);
    expect(cluster.of('a').snapshots.sent).to.equal(0);
  });

  it('change their members, and hand leadership over', async () => {
    const cluster = await Cluster.start();
    await cluster.write('a', ...Array.from({ length: 9 }, (_, at) => `${at}`));
    const { group } = cluster.of('a');
    expect(group.changeMembers({ voters: ['a', 'b', 'd'], learners: ['c'] })).to.include({
      code: 'replication.change_refused',
      reason: 'notCaughtUp',
    });
    group.changeMembers({ voters: ['a', 'b'], learners: ['c'] });
    await cluster.nodes.pass(electionMs);
    expect(group.configuration).to.deep.equal({
      voters: ['a', 'b'],
      outgoing: [],
      learners: ['c'],
    });
    expect(group.transferLeadership('c')).to.include({ reason: 'invalid' });
    expect(group.transferLeadership('b')).to.equal(undefined);
    expect(group.refusal).to.be.instanceOf(NotLeaderError);
    await cluster.nodes.settle();
    expect(cluster.of('b').store.isLeading).to.equal(true);
    expect(cluster.of('a').store.events.at(-1)).to.equal('follows');
    await cluster.write('b', 'two');
    await cluster.nodes.pass(electionMs);
    const [first] = cluster.texts();
    expect(first).to.have.length(10);
    expect(cluster.texts()).to.deep.equal([first, first, first]);
  });
});

describe('a member whose state is transferred', () => {
  /** `c` was away, and the log of `a` no longer has what it missed. */
  async function behind(): Promise<Cluster> {
    const cluster = await Cluster.start();
    cluster.nodes.isolated.add('c');
    for (let at = 0; at < 40; at += 1) await cluster.write('a', `${at} ${'x'.repeat(200)}`);
    cluster.log('a').releasedTo = 41;
    return cluster;
  }

  it('has it, and continues with the log behind it', async () => {
    const cluster = await behind();
    cluster.nodes.isolated.clear();
    await cluster.nodes.pass(electionMs);
    await cluster.write('a', 'more');
    await cluster.nodes.pass(electionMs);
    const { store } = cluster.of('c');
    expect(store.texts).to.deep.equal(cluster.of('a').store.texts);
    expect(store.events).to.include('installed 41');
    const restart = cluster.log('c').records.find(({ kind }) => kind === logOrder.restart);
    expect(restart).to.include({ group: 1, index: 41, term: 1 });
  });

  it('gets no entry while its machine installs the state', async () => {
    const cluster = await behind();
    const medium = Promise.withResolvers<void>();
    cluster.of('c').snapshots.medium = medium.promise;
    cluster.nodes.isolated.clear();
    await cluster.nodes.pass(electionMs);
    await cluster.write('a', 'meanwhile');
    await cluster.nodes.pass(electionMs);
    const { store } = cluster.of('c');
    expect(store.events).to.deep.equal([]);
    medium.resolve();
    await cluster.nodes.pass(electionMs);
    expect(store.events).to.deep.equal(['installed 41', 'replicated meanwhile']);
  });

  it('does not believe a state that has not arrived', async () => {
    const cluster = await Cluster.start();
    const snapshot = { index: 90, term: 1, configuration: members };
    const message = { type: 'snapshot' as const, from: 'a', to: 'b', term: 1, snapshot };
    cluster.nodes.nodes.get('b')?.groups.receive('a', encodeMessages([{ group: 1, message }]));
    await cluster.write('a', 'one');
    await cluster.nodes.pass(electionMs);
    expect(cluster.of('b').store.events).to.deep.equal(['replicated one']);
  });

  it('gets it again when the transfer broke', async () => {
    const cluster = await behind();
    cluster.of('a').snapshots.isBroken = true;
    cluster.nodes.isolated.clear();
    await cluster.nodes.pass(electionMs);
    expect(cluster.of('c').store.texts).to.deep.equal([]);
    cluster.of('a').snapshots.isBroken = false;
    await cluster.nodes.pass(2_000);
    expect(cluster.of('c').store.texts).to.deep.equal(cluster.of('a').store.texts);
    expect(cluster.of('a').snapshots.sent).to.be.greaterThan(1);
  });
});

describe('a member that starts again', () => {
  const again = (cluster: Cluster, id: string, store: Store): ReplicatedGroup => {
    const { log, recovered } = cluster.log(id).reopened();
    cluster.nodes.start(id, { log, recovered });
    return cluster.join(id, store).group;
  };

  /** What the machine had durably: everything but the last entries. */
  function stored(of: Store, entries: number): Store {
    const store = new Store();
    store.texts = of.texts.slice(0, entries);
    store.applied = { term: 1, index: entries + 1 };
    return store;
  }

  it('remembers its term and its vote', async () => {
    const cluster = await Cluster.start();
    await cluster.write('a', 'one');
    const { hardState } = (again(cluster, 'b', new Store()) as RaftGroup).raft;
    expect(hardState).to.include({ term: 1, vote: 'a' });
  });

  it('gets what the log has and its machine has not, when it is committed', async () => {
    const cluster = await Cluster.start();
    await cluster.write('a', 'one', 'two', 'three');
    await cluster.nodes.pass(electionMs);
    await cluster.nodes.nodes.get('b')?.groups.stop();
    const store = stored(cluster.of('b').store, 1);
    again(cluster, 'b', store);
    await cluster.nodes.settle();
    expect(store.texts).to.deep.equal(['one']);
    await cluster.nodes.pass(electionMs);
    expect(store.texts).to.deep.equal(['one', 'two', 'three']);
  });

  it('leads when everything before is handed over, however much that is', async () => {
    const cluster = await Cluster.start();
    for (let at = 0; at < 60; at += 1) await cluster.write('a', `${at} ${'x'.repeat(2_000)}`);
    await cluster.nodes.pass(electionMs);
    const store = new Store();
    again(cluster, 'b', store);
    cluster.nodes.isolated.add('a');
    await cluster.nodes.pass(4 * electionMs);
    const leader = store.isLeading ? store : cluster.of('c').store;
    const leads = leader.events.indexOf('leads');
    expect(leads).to.equal(leader.events.filter((event) => event.startsWith('replicated')).length);
    expect(leader.texts).to.have.length(60);
  });

  it('does not take part when its log lacks what was committed', async () => {
    const cluster = await Cluster.start();
    await cluster.write('a', ...Array.from({ length: 80 }, (_, at) => `${at}`));
    await cluster.write('a', 'last');
    await cluster.write('a', 'very last');
    const log = cluster.log('a');
    const lost = log.records.filter(({ kind, index }) => kind > 3 || index < 20);
    log.records.splice(0, log.records.length, ...lost);
    const group = again(cluster, 'a', new Store());
    expect(group.mustRejoin).to.be.instanceOf(MustRejoinError);
    expect(group.mustRejoin?.message).to.contain('the log ends at 19');
    expect(group.refusal).to.be.instanceOf(NotLeaderError);
    expect(group.propose(new Uint8Array())).to.be.instanceOf(NotLeaderError);
    expect(await rejection(group.readable())).to.be.instanceOf(NotLeaderError);
  });

  it('does not take part when damage took entries of its log', async () => {
    const cluster = await Cluster.start();
    const { log, recovered } = cluster.log('b').reopened();
    log.damaged.set(1, { code: 'wal.corrupt', summary: 'It is damaged.' });
    cluster.nodes.start('b', { log, recovered });
    expect(cluster.join('b').group.mustRejoin?.message).to.contain('It is damaged.');
  });

  it('begins its log again when the machine has a transferred state that the log does not continue', async () => {
    const cluster = await Cluster.start();
    await cluster.write('a', 'one', 'two');
    const store = new Store();
    store.applied = { term: 4, index: 3 };
    again(cluster, 'c', store);
    await cluster.nodes.settle();
    const { log } = cluster.nodes.nodes.get('c') ?? {};
    expect(log?.records.at(-1)).to.include({ kind: logOrder.restart, index: 3, term: 4 });
    expect(log?.recovery.lastIndex(1)?.index).to.equal(3);
  });
});

describe('a node with replicated groups', () => {
  it('answers an append when it is synced, and not before', async () => {
    const cluster = await Cluster.start();
    cluster.nodes.isolated.add('c');
    cluster.log('b').isQuick = false;
    await cluster.write('a', 'one');
    await cluster.nodes.pass(timing.heartbeatTicks * timing.tickMs);
    expect(cluster.of('a').store.texts).to.deep.equal([]);
    cluster.log('b').sync();
    await cluster.nodes.settle();
    expect(cluster.of('a').store.texts).to.deep.equal(['one']);
  });

  it('refuses bytes that are no messages, and messages of groups that it has not', async () => {
    const cluster = await Cluster.start();
    const groups = cluster.nodes.nodes.get('a')?.groups;
    expect(() => groups?.receive('b', Uint8Array.of(7))).to.throw('format 7');
    const unknown = Uint8Array.of(1, 9, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0);
    expect(decodeMessages(unknown, { from: 'b', to: 'a' })).to.have.length(1);
    groups?.receive('b', unknown);
    await cluster.write('a', 'one');
    expect(cluster.of('a').store.texts).to.deep.equal(['one']);
  });

  it('has the same numbers for orders as the log', () => {
    expect(logOrder).to.deep.equal({
      restart: restartKind,
      hardState: hardStateKind,
      truncate: truncateKind,
    });
    expect(new RecoveredGroups()).to.be.an('object');
  });
});
