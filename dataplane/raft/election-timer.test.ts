import { expect } from 'chai';
import { ElectionTimer } from './election-timer.ts';
import { Machines } from './testing/machines.ts';

const electionTicks = 10;

/** Due 19 ticks after the leader was heard. */
function timerOf(): ElectionTimer {
  return new ElectionTimer({ electionTicks, random: { next: () => 0.95 } }, true);
}

function ticksUntilDue(timer: ElectionTimer): number {
  let ticks = 0;
  for (; !timer.isDue; ticks += 1) timer.tick();
  return ticks;
}

describe('the time until an election', () => {
  it('is shorter when the leader seems dead, for each member another one, and never within the promise', () => {
    const timers = [0, 1, 3].map((rank) => {
      const timer = timerOf();
      timer.hasten(rank);
      return timer;
    });
    expect(ticksUntilDue(timerOf())).to.equal(19);
    const ticks = timers.map(ticksUntilDue);
    expect(ticks).to.deep.equal([12, 15, 19]);
    for (const each of ticks) expect(each).to.be.greaterThan(electionTicks);
  });

  it('is what it was when the leader is heard after all', () => {
    const timer = timerOf();
    timer.hasten(0);
    for (let ticks = 0; ticks < 5; ticks += 1) timer.tick();
    timer.reset();
    expect(ticksUntilDue(timer)).to.equal(19);
  });

  it('counts from the moment when the leader was heard, not from the suspicion', () => {
    const timer = timerOf();
    for (let ticks = 0; ticks < 8; ticks += 1) timer.tick();
    timer.hasten(0);
    expect(ticksUntilDue(timer)).to.equal(4);
  });
});

describe('the time until an election over slow links', () => {
  /** Rounds of votes of this member, in ticks; a quorum answered each of them or none. */
  function afterRounds(rounds: readonly number[], isAnswered: boolean): ElectionTimer {
    const timer = timerOf();
    for (const ticks of rounds) {
      for (let at = 0; at < ticks; at += 1) timer.tick();
      if (isAnswered) timer.answered();
      else timer.unanswered();
      timer.restart();
    }
    return timer;
  }

  it('is longer by the time of a round of votes', () => {
    expect(ticksUntilDue(afterRounds([20], true))).to.equal(58);
    expect(ticksUntilDue(afterRounds([20], false))).to.equal(58);
  });

  it('grows while candidates get no majority, up to a bound', () => {
    expect(ticksUntilDue(afterRounds([19, 56], false))).to.equal(97);
    expect(ticksUntilDue(afterRounds([1_000], false))).to.equal(97);
  });

  it('is what it was when rounds are fast again', () => {
    expect(ticksUntilDue(afterRounds([20, 0], true))).to.equal(39);
    expect(ticksUntilDue(afterRounds([20, 0, 0, 0, 0, 0], true))).to.equal(19);
  });

  it('leaves the promise to a leader as it is', () => {
    const timer = afterRounds([40], false);
    for (let ticks = 0; ticks < electionTicks; ticks += 1) {
      expect(timer.isSticky(true)).to.equal(true);
      timer.tick();
    }
    expect(timer.isSticky(true)).to.equal(false);
  });

  it('is shorter for the first member when the leader seems dead, and a round more for each other one', () => {
    const ticks = [0, 1, 2].map((rank) => {
      const timer = afterRounds([40], true);
      timer.hasten(rank);
      return ticksUntilDue(timer);
    });
    expect(ticks).to.deep.equal([12, 52, 92]);
  });
});

describe('a member that suspects a node', () => {
  it('does nothing about one that does not lead, or is in no group with it', () => {
    const machines = new Machines(['a', 'b', 'c'], { voters: ['a', 'b', 'c'] });
    machines.elect('a');
    expect(machines.of('b').suspect('c')).to.equal(false);
    expect(machines.of('a').suspect('b')).to.equal(false);
    expect(machines.of('b').suspect('z')).to.equal(false);
    expect(machines.of('b').suspect('a')).to.equal(true);
  });

  it('does not depose a leader that the others hear', () => {
    const machines = new Machines(['a', 'b', 'c'], { voters: ['a', 'b', 'c'] });
    machines.elect('a');
    machines.isolated.add('b');
    machines.of('b').suspect('a');
    machines.tick('b', 3 * electionTicks);
    machines.isolated.delete('b');
    machines.of('b').campaign();
    machines.settle();
    expect(machines.of('a').role).to.equal('leader');
    expect(machines.of('b').term).to.equal(machines.of('a').term);
  });
});
