import { expect } from 'chai';
import {
  bytes,
  command,
  electionTicks,
  heartbeatTicks,
  machine,
  Machines,
  step,
} from './testing/machines.ts';

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
  it('change through a joint configuration that is left automatically', () => {
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
