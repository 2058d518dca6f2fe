import { expect } from 'chai';
import type { HardState } from './entry.ts';
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

/**
 * A node gave its replica away, and has one again, without its log. What it had acknowledged then may be committed since,
 * under members that its new log does not name yet.
 */
const acknowledged = { term: 2, index: 5 };
const entries = [command(1, 1), command(2, 1), command(3, 2)];
const vote = { type: 'vote', lastIndex: 9, lastTerm: 3, isTransfer: true } as const;

const returned = (hardState: Partial<HardState> = { acknowledged }): Raft =>
  machine('b', {
    voters: ['b'],
    learners: ['a'],
    entries,
    hardState: { term: 3, vote: undefined, acknowledged: undefined, ...hardState },
  });

function pass(raft: Raft): void {
  for (let ticks = 0; ticks < 4 * electionTicks; ticks += 1) {
    raft.tick();
    while (raft.hasReady) {
      const { persist } = raft.ready();
      if (persist !== undefined) raft.persisted(persist.token);
    }
  }
}

describe('a member that returned without its log', () => {
  it('takes no part in elections by the members of an older time', () => {
    const raft = returned();
    pass(raft);
    expect(raft.role).to.equal('follower');
    step(raft, 'a', 3, { type: 'timeoutNow' });
    expect(raft.role).to.equal('follower');
    step(raft, 'a', 4, { ...vote, lastIndex: 4, lastTerm: 2 });
    expect(raft.hardState).to.deep.include({ term: 4, vote: undefined, acknowledged });
    // As it would with its log: others may need this vote.
    step(raft, 'a', 5, vote);
    expect(raft.hardState).to.deep.include({ term: 5, vote: 'a', acknowledged });
    // One that has lost nothing leads alone.
    const other = returned({});
    pass(other);
    expect(other.role).to.equal('leader');
  });

  for (const [what, more] of [
    ['has as much again', [command(4, 2), command(5, 2)]],
    ['has an entry of a later leader, who had it all', [command(4, 3)]],
  ] as const)
    it(`is a member as any when it ${what}`, () => {
      const raft = returned();
      const append = { type: 'append', previousIndex: 3, previousTerm: 2, committed: 3 } as const;
      step(raft, 'a', 3, { ...append, entries: more });
      step(raft, 'c', 4, vote);
      expect(raft.hardState).to.deep.include({ term: 4, vote: 'c' });
      pass(raft);
      expect(raft.role).to.equal('leader');
    });

  it('gets its log again from a leader that knew the former one', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    for (const text of ['1', '2', '3']) machines.of('a').propose([bytes(text)]);
    machines.settle();
    const { term } = machines.of('a');
    machines.all.set(
      'b',
      machine('b', { hardState: { term, vote: 'a', acknowledged: undefined } }),
    );
    for (let rounds = 0; rounds < 5; rounds += 1) {
      machines.tick('a', heartbeatTicks);
      machines.of('a').propose([bytes('more')]);
      machines.settle();
    }
    expect(machines.of('b').log.last).to.equal(machines.of('a').log.last);
  });

  it('gets a state from a leader whose log begins where it knew the former log to end', () => {
    const machines = new Machines(['a', 'b', 'c']);
    machines.elect('a');
    for (const text of ['1', '2', '3']) machines.of('a').propose([bytes(text)]);
    machines.settle();
    const { term, log } = machines.of('a');
    machines.of('a').compacted(log.last);
    machines.all.set('b', machine('b', { hardState: { term, vote: 'a', acknowledged } }));
    for (let rounds = 0; rounds < 5; rounds += 1) {
      machines.tick('a', heartbeatTicks);
      machines.of('a').propose([bytes('more')]);
      machines.settle();
    }
    expect(machines.of('b').log.last).to.equal(machines.of('a').log.last);
  });

  it('still takes no part when it has some more', () => {
    const raft = returned();
    const append = { type: 'append', previousIndex: 3, previousTerm: 2, committed: 3 } as const;
    step(raft, 'a', 3, { ...append, entries: [command(4, 2)] });
    pass(raft);
    expect(raft.role).to.equal('follower');
  });

  it('is one as any when it received a state that has it all', () => {
    const raft = returned();
    const configuration = { voters: ['a', 'b', 'c'], outgoing: [], learners: [] };
    step(raft, 'a', 3, { type: 'snapshot', snapshot: { index: 7, term: 3, configuration } });
    step(raft, 'c', 4, vote);
    expect(raft.hardState).to.deep.include({ term: 4, vote: 'c' });
  });
});
