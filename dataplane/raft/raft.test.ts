import { expect } from 'chai';
import type { Message, MessageBody } from './message.ts';
import type { Raft } from './raft.ts';
import {
  bytes,
  command,
  electionTicks,
  heartbeatTicks,
  machine,
  Machines,
  step,
} from './testing/machines.ts';

const sent = (raft: Raft): Message[] => (raft.hasReady ? [...raft.ready().send] : []);

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
    expect(persist?.hardState).to.deep.include({ term: 5, vote: 'a' });
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
    const raft = machine('c', { hardState: { term: 1, vote: undefined, acknowledged: undefined } });
    step(raft, 'a', 5, voteRequest);
    expect(raft.term).to.equal(1);
    expect(sent(raft)).to.deep.equal([]);
  });

  it('are held at once in a new group, where nobody has promised anything', () => {
    const raft = machine('c');
    step(raft, 'a', 1, voteRequest);
    expect(raft.hardState).to.deep.include({ term: 1, vote: 'a' });
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
    const raft = machine('c', { hardState: { term: 9, vote: 'c', acknowledged: undefined } });
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

  /** A leader that has sent an entry of ten usual appends, which is on its way. */
  function withLargeEntry(): Machines {
    const machines = new Machines(['a', 'b', 'c'], {
      options: { appendBytesMax: 100, uncommittedBytesMax: 10_000 },
    });
    machines.elect('a');
    machines.settle();
    machines.of('a').propose([new Uint8Array(1_000)]);
    machines.sync();
    return machines;
  }

  it('waits for a large entry that takes longer than a heartbeat, and sends it once', () => {
    const machines = withLargeEntry();
    const isLarge = (message: Message): boolean =>
      message.type === 'append' &&
      message.to === 'b' &&
      message.entries.some(({ index }) => index === 2);
    const [large] = machines.inFlight.filter(isLarge) as [Message];
    machines.inFlight = [];
    // What comes behind it overtakes it, and is refused.
    machines.of('a').propose([bytes('x')]);
    for (let heartbeat = 0; heartbeat < 5; heartbeat += 1) {
      machines.tick('a', heartbeatTicks);
      machines.settle();
      expect(machines.of('b').log.last, 'the large entry is not there').to.equal(1);
    }
    expect(machines.sent.filter(isLarge)).to.have.lengthOf(1);
    machines.inFlight.push(large);
    machines.settle();
    machines.tick('a', heartbeatTicks);
    machines.settle();
    expect(machines.of('b').log.last).to.equal(3);
  });

  it('sends everything behind a large entry that is lost without waiting for each', () => {
    const machines = new Machines(['a', 'b', 'c'], {
      options: { appendBytesMax: 100, uncommittedBytesMax: 100_000, inflightMessagesMax: 4 },
    });
    machines.elect('a');
    machines.settle();
    for (let entry = 0; entry < 12; entry += 1) {
      machines.of('a').propose([new Uint8Array(1_000)]);
      machines.sync();
      machines.inFlight = machines.inFlight.filter(({ to }) => to !== 'b');
      machines.settle();
    }
    // The time of one of them, and then a round trip for each.
    for (let heartbeat = 0; heartbeat < 60; heartbeat += 1) {
      machines.tick('a', heartbeatTicks);
      machines.settle();
    }
    expect(machines.of('b').log.last).to.equal(machines.of('a').log.last);
  });

  it('sends a large entry again that is lost', () => {
    const machines = withLargeEntry();
    machines.inFlight = [];
    for (let heartbeat = 0; heartbeat < 50; heartbeat += 1) {
      machines.tick('a', heartbeatTicks);
      machines.settle();
    }
    for (const id of ['a', 'b', 'c']) expect(machines.of(id).log.committed).to.equal(2);
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

  it('continues behind the state that a member got, wherever the log begins by now', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    machines.isolated.add('c');
    const write = (text: string): void => {
      machines.of('a').propose([bytes(text)]);
      machines.settle();
    };
    for (const text of ['x', 'y', 'z']) write(text);
    machines.of('a').compacted(4);
    machines.isolated.delete('c');
    machines.tick('a', heartbeatTicks);
    const isAsked = (): boolean => machines.inFlight.some(({ type }) => type === 'snapshot');
    for (let steps = 0; steps < 10 && !isAsked(); steps += 1) {
      machines.sync();
      machines.deliver();
    }
    expect(isAsked()).to.equal(true);
    machines.inFlight = [];
    // The state of now is sent, which is newer than the front of the log; meanwhile the log lets go of more.
    write('v');
    const index = machines.of('a').log.last;
    machines.of('a').compacted(index);
    machines.of('a').snapshotEnded('c', index);
    machines.tick('a', heartbeatTicks);
    const isToC = ({ type, to }: Message): boolean => to === 'c' && type !== 'heartbeat';
    for (let steps = 0; steps < 10 && !machines.inFlight.some(isToC); steps += 1)
      machines.deliver();
    expect(machines.inFlight.find(isToC)).to.include({ type: 'append', previousIndex: index });
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
