import { expect } from 'chai';
import { withheldTimeouts } from './restraint.ts';
import { electionTicks, heartbeatTicks, machine, Machines, step } from './testing/machines.ts';

const candidatureTicks = withheldTimeouts.candidature * electionTicks;
const voteTicks = withheldTimeouts.vote * electionTicks;

/** Machines that know who is quarantined. */
function groupOf(ids: readonly string[], quarantined: Set<string>): Machines {
  const options = { isQuarantined: (id: string) => quarantined.has(id) };
  return new Machines(ids, { voters: ids, options });
}

/** Time passes for all that are not isolated, until one of them leads. */
function untilLed(machines: Machines, ticksMax: number): string | undefined {
  const present = [...machines.all.keys()].filter((id) => !machines.isolated.has(id));
  const leader = (): string | undefined => present.find((id) => machines.of(id).role === 'leader');
  for (let ticks = 0; ticks < ticksMax && leader() === undefined; ticks += 1) {
    for (const id of present) machines.tick(id);
    machines.settle();
  }
  return leader();
}

describe('a quarantined member of a group', () => {
  it('does not stand for election while the others can elect a leader', () => {
    const machines = groupOf(['a', 'b', 'c'], new Set(['c']));
    machines.elect('a');
    machines.isolated.add('a').add('b');
    machines.tick('c', candidatureTicks - 1);
    expect(machines.of('c').role).to.equal('follower');
    expect(machines.of('c').mayStand).to.equal(false);
  });

  it('leaves the election of a new leader to the others', () => {
    for (const first of ['a', 'b']) {
      const machines = groupOf(['a', 'b', 'c', 'd', 'e'], new Set(['c']));
      machines.elect(first);
      machines.isolated.add(first);
      const leader = untilLed(machines, candidatureTicks);
      expect(leader).to.be.oneOf(['a', 'b', 'd', 'e'].filter((id) => id !== first));
    }
  });

  it('grants no vote as long as the others have had no time to elect a leader', () => {
    const raft = machine('c', { options: { isQuarantined: (id) => id === 'c' } });
    const request = { type: 'vote', lastIndex: 0, lastTerm: 0, isTransfer: false } as const;
    for (let ticks = 0; ticks < voteTicks - 1; ticks += 1) raft.tick();
    step(raft, 'a', 5, request);
    expect(raft.hardState).to.deep.include({ term: 5, vote: undefined });
    raft.tick();
    step(raft, 'a', 6, request);
    expect(raft.hardState).to.deep.include({ term: 6, vote: 'a' });
  });

  it('votes where its vote is needed: a group of three that lost another member goes on', () => {
    const machines = groupOf(['a', 'b', 'c'], new Set(['c']));
    machines.elect('a');
    machines.isolated.add('a');
    expect(untilLed(machines, candidatureTicks)).to.equal('b');
  });

  it('leads where only it has what is committed', () => {
    const machines = groupOf(['a', 'b', 'c'], new Set(['c']));
    machines.elect('a');
    machines.isolated.add('b');
    machines.of('a').propose([new Uint8Array(1)]);
    machines.collect();
    machines.settle();
    expect(machines.of('a').log.committed).to.equal(2);
    machines.isolated.add('a');
    machines.isolated.delete('b');
    expect(untilLed(machines, 3 * candidatureTicks)).to.equal('c');
    expect(machines.of('c').log.committed).to.be.at.least(2);
  });

  it('takes part at once where the others are no majority', () => {
    const machines = groupOf(['a', 'b', 'c'], new Set(['b', 'c']));
    expect(machines.of('c').mayStand).to.equal(true);
    machines.elect('c');
    expect(machines.of('c').role).to.equal('leader');
  });

  it('leads a group of which it is the only member', () => {
    const machines = groupOf(['c'], new Set(['c']));
    machines.tick('c');
    machines.settle();
    expect(machines.of('c').role).to.equal('leader');
  });

  it('gets no vote of the others, even when it asks', () => {
    const machines = groupOf(['a', 'b', 'c'], new Set(['c']));
    machines.elect('a');
    machines.isolated.add('a');
    machines.tick('b', electionTicks);
    machines.of('c').campaign();
    machines.settle();
    expect(machines.of('c').role).to.not.equal('leader');
    expect(machines.of('b').term).to.equal(1);
  });

  it('does not take leadership that is handed to it, and votes for whom a leader hands it to', () => {
    const quarantined = new Set<string>();
    const machines = groupOf(['a', 'b', 'c'], quarantined);
    machines.elect('a');
    quarantined.add('c');
    machines.of('a').transferTo('c');
    machines.settle();
    expect(machines.of('c').role).to.equal('follower');
    machines.tick('a', electionTicks);
    machines.settle();
    expect(machines.of('a').role).to.equal('leader');
    machines.of('a').transferTo('b');
    machines.settle();
    expect(machines.of('b').role).to.equal('leader');
    expect(machines.of('c').leaderId).to.equal('b');
  });

  it('hands its own leadership over, and is a member like the others after its release', () => {
    const quarantined = new Set<string>();
    const machines = groupOf(['a', 'b', 'c'], quarantined);
    machines.elect('c');
    quarantined.add('c');
    machines.of('c').transferTo('a');
    machines.settle();
    expect(machines.of('a').role).to.equal('leader');
    quarantined.clear();
    machines.tick('a', heartbeatTicks);
    machines.settle();
    machines.of('a').transferTo('c');
    machines.settle();
    expect(machines.of('c').role).to.equal('leader');
  });
});
