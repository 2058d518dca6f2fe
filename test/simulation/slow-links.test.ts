import { expect } from 'chai';
import { Group } from './raft/group.ts';

/** Elections of a group whose links are slow: an election time is 200 ms here, a tick 10 ms. */
const ids = ['a', 'b', 'c', 'd', 'e'];
const seeds = 20;
const electedWithinMs = 60_000;
const steadyMs = 60_000;

function slowGroup(seed: number, roundTripMs: number): Group {
  const group = new Group(seed, ids, ids);
  const oneWayMs = roundTripMs / 2;
  group.network.faults = {
    loss: 0,
    duplication: 0,
    delayMs: { least: 0.8 * oneWayMs, most: 1.2 * oneWayMs },
    stragglers: 0,
  };
  return group;
}

/** The time until somebody leads and everybody follows. */
function elected(group: Group): number {
  const from = group.time.now;
  const isSettled = (): boolean => {
    const { leader } = group;
    return group.running.every(({ raft }) => leader !== undefined && raft.leaderId === leader.id);
  };
  while (!isSettled() && group.time.now - from < electedWithinMs)
    group.time.runUntil(group.time.now + 10);
  return group.time.now - from;
}

describe('a simulated Raft group over slow links', () => {
  for (const roundTripMs of [250, 500, 750])
    it(`elects leaders when a round trip takes ${roundTripMs} ms, and keeps them`, () => {
      for (let seed = 1; seed <= seeds; seed += 1) {
        const group = slowGroup(seed, roundTripMs);
        expect(elected(group), `seed ${seed}`).to.be.lessThan(electedWithinMs);
        const { leader } = group;
        const term = leader?.raft.term;
        group.time.runUntil(group.time.now + steadyMs);
        expect(group.leader?.id, `seed ${seed}`).to.equal(leader?.id);
        expect(group.leader?.raft.term, `seed ${seed}`).to.equal(term);
        if (leader !== undefined) group.crash(leader);
        expect(elected(group), `seed ${seed}, a crash`).to.be.lessThan(electedWithinMs);
      }
    });
});
