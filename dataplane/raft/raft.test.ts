import { expect } from 'chai';
import type { Message, MessageBody } from './message.ts';
import type { Raft } from './raft.ts';
import { command, electionTicks, heartbeatTicks, machine, Machines } from './testing/machines.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const sent = (raft: Raft): Message[] => (raft.hasReady ? [...raft.ready().send] : []);

function step(raft: Raft, from: string, term: number, body: MessageBody): void {
  raft.step({ ...body, from, to: raft.id, term });
}

const voteRequest = { type: 'vote', lastIndex: 0, lastTerm: 0, isTransfer: false } as const;

function pastPromise(raft: Raft): void {
  for (let at = 0; at < electionTicks; at += 1) raft.tick();
  if (raft.hasReady) raft.ready();
}

describe('elections (thesis 3.4, 3.6, 9.6)', () => {
  it('elect one leader, which opens its term with an empty entry', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    expect(machines.of('a').role).to.equal('leader');
    expect(machines.of('b').leaderId).to.equal('a');
    expect(machines.of('c').log.last).to.equal(1);
    expect(machines.of('a').log.committed).to.equal(1);
  });

  it('give one vote in a term, and only when it is durable', () => {
    const raft = machine('c');
    pastPromise(raft);
    step(raft, 'a', 5, voteRequest);
    const { persist, send } = raft.ready();
    expect(persist?.hardState).to.deep.equal({ term: 5, vote: 'a' });
    expect(send).to.deep.equal([]);
    step(raft, 'b', 5, voteRequest);
    raft.persisted(persist?.token ?? 0);
    expect(
      sent(raft).map((each) => [each.to, 'isGranted' in each && each.isGranted]),
    ).to.deep.equal([
      ['a', true],
      ['b', false],
    ]);
  });

  it('ask for votes only when the own term and vote are durable', () => {
    const raft = machine('a');
    pastPromise(raft);
    raft.campaign();
    expect(sent(raft).map(({ type }) => type)).to.deep.equal(['preVote', 'preVote']);
    step(raft, 'b', 1, { type: 'preVoteReply', isGranted: true });
    const { persist, send } = raft.ready();
    expect(send).to.deep.equal([]);
    raft.persisted(persist?.token ?? 0);
    expect(sent(raft).map(({ type }) => type)).to.deep.equal(['vote', 'vote']);
  });

  it('refuse a candidate whose log lacks something', () => {
    const entries = [command(1, 1), command(2, 3)];
    for (const [lastIndex, lastTerm] of [
      [1, 3],
      [9, 2],
      [1, 1],
    ] as const) {
      const raft = machine('c', { entries });
      pastPromise(raft);
      step(raft, 'a', 5, { ...voteRequest, lastIndex, lastTerm });
      raft.persisted(raft.ready().persist?.token ?? 0);
      const [reply] = sent(raft);
      expect(reply, `${lastIndex}/${lastTerm}`).to.include({ type: 'voteReply', isGranted: false });
    }
  });

  it('do not disturb a group that hears its leader: not even its term rises', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    machines.isolated.add('c');
    machines.tick('c', 3 * electionTicks);
    machines.settle();
    machines.isolated.clear();
    expect(machines.of('c').term).to.equal(1);
    machines.of('c').campaign();
    machines.settle();
    expect(machines.of('a').role).to.equal('leader');
    expect(machines.of('b').term).to.equal(1);
  });

  it('keep a promise that was given before a restart: nobody gets a vote at once', () => {
    const raft = machine('c');
    step(raft, 'a', 5, voteRequest);
    expect(raft.term).to.equal(0);
    expect(sent(raft)).to.deep.equal([]);
  });

  it('depose a leader that no quorum answers', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    machines.isolated.add('a');
    machines.tick('a', 2 * electionTicks);
    machines.settle();
    expect(machines.of('a').role).to.equal('follower');
  });

  it('let a node that went ahead alone into the group again', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    const raft = machine('c', { hardState: { term: 9, vote: 'c' } });
    machines.all.set('c', raft);
    machines.tick('a', heartbeatTicks);
    machines.settle();
    expect(machines.of('a').term).to.equal(9);
    machines.elect('a');
    expect(machines.of('c').leaderId).to.equal('a');
  });
});

describe('replication (thesis 3.5, 10.2.1)', () => {
  it('commits when a majority has synced, and applies everywhere in order', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    expect(machines.of('a').propose([bytes('x'), bytes('y')])).to.deep.equal({ index: 2 });
    machines.settle();
    machines.tick('a', heartbeatTicks);
    machines.settle();
    for (const id of ['a', 'b', 'c']) expect(machines.payloads(id)).to.deep.equal(['x', 'y']);
  });

  it('answers an append only when it is synced', () => {
    const raft = machine('b');
    step(raft, 'a', 1, {
      type: 'append',
      previousIndex: 0,
      previousTerm: 0,
      entries: [command(1, 1)],
      committed: 0,
    });
    const { persist, send } = raft.ready();
    expect(send).to.deep.equal([]);
    raft.persisted(persist?.token ?? 0);
    expect(sent(raft)[0]).to.include({ type: 'appendReply', isRejected: false, index: 1 });
  });

  it('does not count the leader before its own log is synced', () => {
    const machines = new Machines(['a', 'b']);
    machines.elect('a');
    machines.of('a').propose([bytes('x')]);
    machines.collect();
    machines.deliver();
    const [own, ...others] = machines.pending.splice(0);
    for (const { raft, persist } of others) raft.persisted(persist.token);
    machines.collect();
    machines.deliver();
    expect(machines.of('a').log.committed).to.equal(1);
    own?.raft.persisted(own.persist.token);
    expect(machines.of('a').log.committed).to.equal(2);
    machines.settle();
  });

  it('counts the leader only up to what is synced of several batches', () => {
    const machines = new Machines(['a', 'b']);
    machines.elect('a');
    for (const text of ['x', 'y']) {
      machines.of('a').propose([bytes(text)]);
      machines.collect();
    }
    const own = machines.pending.splice(0);
    machines.deliver();
    machines.sync();
    machines.deliver();
    expect(machines.of('b').log.durable).to.equal(3);
    own[0]?.raft.persisted(own[0].persist.token);
    expect(machines.of('a').log.committed).to.equal(2);
  });

  it('does not commit an entry of an older term by counting (3.6.2)', () => {
    const entries = [command(1, 1), command(2, 1)];
    const machines = new Machines(['a', 'b', 'c'], { entries });
    for (const raft of machines.all.values()) pastPromise(raft);
    const raft = machines.of('a');
    raft.campaign();
    for (let steps = 0; steps < 6 && raft.role !== 'leader'; steps += 1) {
      machines.collect();
      machines.sync();
      machines.deliver();
    }
    const answer = { type: 'appendReply', isRejected: false, hintIndex: 0, hintTerm: 0 } as const;
    for (const from of ['b', 'c']) step(raft, from, raft.term, { ...answer, index: 2 });
    expect(raft.log.committed).to.equal(0);
    step(raft, 'b', raft.term, { ...answer, index: 3 });
    machines.inFlight = [];
    machines.sync();
    expect(raft.log.committed).to.equal(3);
  });

  it('replaces what an older leader left behind, durably', () => {
    const raft = machine('b', { entries: [command(1, 1), command(2, 1), command(3, 1)] });
    step(raft, 'a', 2, {
      type: 'append',
      previousIndex: 1,
      previousTerm: 1,
      entries: [command(2, 2, 'new')],
      committed: 0,
    });
    const { persist } = raft.ready();
    expect(persist?.truncateFrom).to.equal(2);
    expect(persist?.entries.map(({ index, term }) => [index, term])).to.deep.equal([[2, 2]]);
    expect(raft.log.last).to.equal(2);
  });

  it('does not call entries durable that were truncated while they were written', () => {
    const raft = machine('b');
    const append = { type: 'append', previousTerm: 0, previousIndex: 0, committed: 0 } as const;
    step(raft, 'a', 1, { ...append, entries: [command(1, 1), command(2, 1)] });
    const first = raft.ready().persist?.token ?? 0;
    step(raft, 'c', 2, { ...append, entries: [command(1, 2)] });
    raft.ready();
    raft.persisted(first);
    expect(raft.log.durable).to.equal(0);
  });

  it('keeps entries that a late append does not know', () => {
    const raft = machine('b', { entries: [command(1, 1), command(2, 1), command(3, 1)] });
    step(raft, 'a', 1, {
      type: 'append',
      previousIndex: 0,
      previousTerm: 0,
      entries: [command(1, 1)],
      committed: 3,
    });
    expect(raft.log.last).to.equal(3);
    expect(raft.log.committed).to.equal(1);
  });

  it('has a bounded number of appends under way', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    machines.isolated.add('b');
    machines.isolated.add('c');
    for (let count = 0; count < 10; count += 1) {
      machines.of('a').propose([bytes('x')]);
      machines.collect();
    }
    expect(
      machines.inFlight.filter(({ to, type }) => to === 'b' && type === 'append').length,
    ).to.equal(3);
  });

  it('says from where on the outcome of proposals is unknown when leadership is lost', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    const raft = machines.of('a');
    raft.propose([bytes('x'), bytes('y')]);
    raft.ready();
    step(raft, 'b', 2, { type: 'heartbeat', round: 1, committed: 1, isLast: false });
    expect(raft.propose([bytes('z')])).to.include({ refused: 'notLeader' });
    expect(raft.ready().withdrawnFrom).to.equal(2);
    expect(raft.ready().withdrawnFrom).to.equal(undefined);
  });

  it('refuses proposals of a follower, and too many of a leader', () => {
    const machines = new Machines(['a', 'b', 'c'], { options: { uncommittedBytesMax: 500 } });
    machines.elect('a');
    expect(machines.of('b').propose([bytes('x')])).to.deep.equal({
      refused: 'notLeader',
      leader: 'a',
    });
    machines.of('a').propose([new Uint8Array(1_000)]);
    expect(machines.of('a').propose([bytes('x')])).to.include({ refused: 'overloaded' });
    machines.settle();
    expect(machines.of('a').propose([bytes('x')])).to.have.property('index');
  });

  it('reads entries from disk for a follower that is far behind', () => {
    const machines = new Machines(['a', 'b', 'c'], { options: { memoryBytesMax: 0 } });
    machines.elect('a');
    machines.isolated.add('c');
    machines.of('a').propose([bytes('x')]);
    machines.settle();
    machines.isolated.clear();
    machines.tick('a', heartbeatTicks);
    machines.settle();
    expect(machines.fetches).to.deep.equal([{ member: 'c', from: 2, to: 2 }]);
    machines.of('a').fetched('c', 2, [command(2, 1, 'x')]);
    machines.settle();
    expect(machines.of('c').log.last).to.equal(2);
  });

  it('sends a snapshot when the entries that are missing are compacted away', () => {
    const machines = new Machines(['a', 'b', 'c'], { options: { memoryBytesMax: 0 } });
    machines.elect('a');
    machines.isolated.add('c');
    machines.of('a').propose([bytes('x')]);
    machines.settle();
    machines.isolated.clear();
    machines.of('a').compacted(2);
    machines.tick('a', heartbeatTicks);
    machines.settle();
    expect(machines.of('c').log.snapshot).to.include({ index: 2, term: 1 });
    machines.of('a').propose([bytes('y')]);
    machines.settle();
    expect(machines.of('c').log.last).to.equal(3);
  });
});

describe('what a correct peer never sends', () => {
  const leader = { type: 'append', previousIndex: 1, previousTerm: 1, committed: 9 } as const;
  const cases: Readonly<Record<string, MessageBody>> = {
    'entries with a gap': { ...leader, entries: [command(3, 1)] },
    'an entry of a term beyond the sender': { ...leader, entries: [command(2, 7)] },
    'terms that fall': { ...leader, entries: [command(2, 2), command(3, 1)] },
    'a configuration without voters': {
      ...leader,
      entries: [
        {
          kind: 'configuration',
          index: 2,
          term: 2,
          configuration: { voters: [], outgoing: [], learners: [] },
        },
      ],
    },
    'other entries in the place of committed ones': {
      ...leader,
      previousIndex: 0,
      previousTerm: 0,
      entries: [command(1, 2)],
    },
    'an answer to an append that was never sent': {
      type: 'appendReply',
      isRejected: false,
      index: 99,
      hintIndex: 0,
      hintTerm: 0,
    },
  };
  for (const [about, body] of Object.entries(cases)) {
    it(`changes nothing: ${about}`, () => {
      const raft = machine('b', { entries: [command(1, 1)] });
      step(raft, 'a', 2, { type: 'heartbeat', round: 1, committed: 1, isLast: false });
      raft.ready();
      step(raft, 'a', 2, body);
      expect([raft.log.last, raft.log.lastTerm, raft.log.committed]).to.deep.equal([1, 1, 1]);
    });
  }

  it('is a second leader of one term: it is not followed', () => {
    const raft = machine('b');
    step(raft, 'a', 2, { type: 'heartbeat', round: 1, committed: 0, isLast: false });
    step(raft, 'c', 2, { type: 'heartbeat', round: 1, committed: 0, isLast: false });
    expect(raft.leaderId).to.equal('a');
  });
});

describe('reads (thesis 6.4)', () => {
  it('wait for a round of heartbeats that begins after them; one round serves all', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    machines.of('a').read(1);
    machines.of('a').read(2);
    machines.collect();
    expect(machines.reads.get('a')).to.deep.equal([]);
    expect(machines.inFlight.filter(({ type }) => type === 'heartbeat').length).to.equal(2);
    machines.settle();
    expect(machines.reads.get('a')).to.deep.equal([
      { id: 1, index: 1 },
      { id: 2, index: 1 },
    ]);
  });

  it('are refused by a node that does not lead, or that lost its place', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    machines.of('b').read(1);
    machines.of('a').read(2);
    machines.isolated.add('a');
    machines.tick('a', 2 * electionTicks);
    machines.settle();
    expect(machines.reads.get('b')).to.deep.equal([{ id: 1, index: undefined }]);
    expect(machines.reads.get('a')).to.deep.equal([{ id: 2, index: undefined }]);
  });
});

describe('members (thesis 4)', () => {
  it('change through a joint configuration that is left by itself', () => {
    const machines = new Machines(['a', 'b', 'c', 'd'], {
      voters: ['a', 'b', 'c'],
      learners: ['d'],
    });
    machines.elect('a');
    machines.reconfigure('a', { voters: ['a', 'b', 'd'], learners: [] });
    expect(machines.of('a').configuration).to.deep.equal({
      voters: ['a', 'b', 'd'],
      outgoing: [],
      learners: [],
    });
    machines.tick('a', heartbeatTicks);
    machines.settle();
    expect(machines.of('d').log.committed).to.equal(machines.of('a').log.committed);
  });

  it('come as learners first, one change at a time, and never none', () => {
    const machines = new Machines(['a', 'b', 'c']);
    const target = { voters: ['a', 'b', 'd'], learners: [] };
    expect(machines.of('a').reconfigure(target)).to.include({ refused: 'notLeader' });
    machines.elect('a');
    for (let count = 0; count < 5; count += 1) machines.of('a').propose([bytes('x')]);
    machines.settle();
    expect(machines.of('a').reconfigure(target)).to.include({ refused: 'notCaughtUp' });
    expect(machines.of('a').reconfigure({ voters: [], learners: [] })).to.include({
      refused: 'invalidMembership',
    });
    expect(machines.of('a').reconfigure({ voters: ['c', 'b', 'a'], learners: [] })).to.include({
      refused: 'unchanged',
    });
    machines.of('a').reconfigure({ voters: ['a', 'b'], learners: ['c'] });
    expect(machines.of('a').reconfigure({ voters: ['a'], learners: [] })).to.include({
      refused: 'changeInProgress',
    });
  });

  it('hand over to another voter when the leader itself goes', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    machines.reconfigure('a', { voters: ['b', 'c'], learners: ['a'] });
    expect(machines.of('a').role).to.equal('follower');
    expect([machines.of('b').role, machines.of('c').role]).to.include('leader');
  });

  it('stay joint until the joint configuration is committed, whatever else is', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    const raft = machines.of('a');
    raft.propose([bytes('x')]);
    raft.reconfigure({ voters: ['a', 'b'], learners: ['c'] });
    machines.collect();
    for (const { raft: one, persist } of machines.pending.splice(0)) one.persisted(persist.token);
    const answer = { type: 'appendReply', isRejected: false, hintIndex: 0, hintTerm: 0 } as const;
    step(raft, 'b', 1, { ...answer, index: 2 });
    expect([raft.log.committed, raft.log.last]).to.deep.equal([2, 3]);
    expect(raft.configuration.outgoing).to.deep.equal(['a', 'b', 'c']);
    step(raft, 'b', 1, { ...answer, index: 3 });
    expect(raft.log.last).to.equal(4);
    expect(raft.configuration.outgoing).to.deep.equal([]);
  });

  it('are those of before when the change is truncated', () => {
    const before = { voters: ['a', 'b', 'c'], outgoing: [], learners: [] };
    const raft = machine('b', { entries: [command(1, 1)] });
    const change = { voters: ['b'], outgoing: ['a', 'b', 'c'], learners: [] };
    const append = { type: 'append', previousIndex: 1, previousTerm: 1, committed: 1 } as const;
    step(raft, 'a', 1, {
      ...append,
      entries: [{ kind: 'configuration', index: 2, term: 1, configuration: change }],
    });
    expect(raft.configuration).to.deep.equal(change);
    step(raft, 'c', 2, { ...append, entries: [command(2, 2)] });
    expect(raft.configuration).to.deep.equal(before);
  });

  it('campaign although they are removed, as long as the removal is not known to be committed', () => {
    const machines = new Machines(['a', 'b'], { voters: ['a'], learners: ['b'] });
    machines.elect('a');
    machines.of('a').reconfigure({ voters: ['b'], learners: [] });
    for (let steps = 0; steps < 20 && machines.of('a').log.newest.index < 3; steps += 1) {
      machines.collect();
      machines.deliver();
      machines.sync();
    }
    // The joint phase is committed; of the last step only the leader knows, and it stops leading.
    machines.inFlight = [];
    machines.tick('a', 3 * electionTicks);
    machines.inFlight = [];
    expect(machines.of('a').role).not.to.equal('leader');
    for (let ticks = 0; ticks < 8 * electionTicks; ticks += 1) {
      machines.tick('a');
      machines.tick('b');
      machines.settle();
    }
    expect(machines.of('b').role).to.equal('leader');
    expect(machines.of('b').configuration.voters).to.deep.equal(['b']);
  });

  it('take over leadership when it is handed to them', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    machines.of('a').propose([bytes('x')]);
    expect(machines.of('a').transferTo('z')).to.include({ refused: 'invalidMembership' });
    expect(machines.of('a').isLeaseSound).to.equal(true);
    expect(machines.of('a').transferTo('b')).to.equal(undefined);
    expect(machines.of('a').propose([bytes('y')])).to.include({ refused: 'transferring' });
    machines.settle();
    expect(machines.of('b').role).to.equal('leader');
    expect(machines.of('b').term).to.equal(2);
  });

  it('end the lease of a leader that invited somebody to an election, even if none comes', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    machines.isolated.add('b');
    machines.of('a').transferTo('b');
    machines.settle();
    machines.tick('a', electionTicks);
    machines.settle();
    expect(machines.of('a').role).to.equal('leader');
    expect(machines.of('a').isLeaseSound).to.equal(false);
  });
});

describe('a group where nothing happens', () => {
  const options = { quiesceTicks: 4 };

  it('is silent until something does', () => {
    const machines = new Machines(['a', 'b', 'c'], { options });
    machines.elect('a');
    for (let round = 0; round < 6; round += 1) {
      machines.tick('a', heartbeatTicks);
      machines.settle();
    }
    expect([...machines.all.values()].every(({ isQuiescent }) => isQuiescent)).to.equal(true);
    for (const id of ['a', 'b', 'c']) machines.tick(id, 5 * electionTicks);
    expect(machines.inFlight).to.deep.equal([]);
    machines.of('a').propose([bytes('x')]);
    machines.settle();
    expect(machines.of('b').isQuiescent).to.equal(false);
    expect(machines.of('a').log.committed).to.equal(2);
  });

  it('is not silent while a member lacks something', () => {
    const machines = new Machines(['a', 'b', 'c'], { options });
    machines.elect('a');
    machines.isolated.add('c');
    machines.of('a').propose([bytes('x')]);
    for (let round = 0; round < 6; round += 1) {
      machines.settle();
      machines.tick('a', heartbeatTicks);
    }
    expect(machines.of('a').isQuiescent).to.equal(false);
  });

  it('elects another leader when its members are woken because the leader is dead', () => {
    const machines = new Machines(['a', 'b', 'c'], { options });
    machines.elect('a');
    for (let round = 0; round < 6; round += 1) {
      machines.tick('a', heartbeatTicks);
      machines.settle();
    }
    machines.isolated.add('a');
    for (const id of ['b', 'c']) machines.of(id).wake();
    for (let ticks = 0; ticks < 6 * electionTicks; ticks += 1) {
      machines.tick('b');
      machines.tick('c');
      machines.settle();
    }
    expect([machines.of('b').role, machines.of('c').role]).to.include('leader');
  });
});
