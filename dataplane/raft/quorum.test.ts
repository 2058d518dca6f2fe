import { expect } from 'chai';
import { quorumValue, voteOutcome } from './quorum.ts';

const simple = { voters: ['a', 'b', 'c'], outgoing: [], learners: ['d'] };
const joint = { voters: ['a', 'b', 'c'], outgoing: ['c', 'd', 'e'], learners: [] };

const valueOf =
  (values: Readonly<Record<string, number>>) =>
  (id: string): number =>
    values[id] ?? 0;

const votes = (granted: string, refused = ''): ReadonlyMap<string, boolean> =>
  new Map([
    ...Array.from(granted, (id) => [id, true] as const),
    ...Array.from(refused, (id) => [id, false] as const),
  ]);

describe('a quorum', () => {
  it('has reached what a majority of the voters has', () => {
    expect(quorumValue(simple, valueOf({ a: 9, b: 5, c: 1, d: 9 }))).to.equal(5);
    expect(quorumValue({ ...simple, voters: ['a'] }, valueOf({ a: 9 }))).to.equal(9);
    expect(quorumValue({ ...simple, voters: ['a', 'b'] }, valueOf({ a: 9, b: 3 }))).to.equal(3);
  });

  it('of a joint configuration needs both majorities', () => {
    expect(quorumValue(joint, valueOf({ a: 9, b: 9, c: 9 }))).to.equal(0);
    expect(quorumValue(joint, valueOf({ a: 9, b: 9, c: 1, d: 7, e: 6 }))).to.equal(6);
  });

  it('wins, loses or leaves an election open', () => {
    expect(voteOutcome(simple, votes('ab'))).to.equal('won');
    expect(voteOutcome(simple, votes('ad'))).to.equal('pending');
    expect(voteOutcome(simple, votes('a', 'b'))).to.equal('pending');
    expect(voteOutcome(simple, votes('a', 'bc'))).to.equal('lost');
  });

  it('of a joint configuration elects with both majorities only', () => {
    expect(voteOutcome(joint, votes('ab'))).to.equal('pending');
    expect(voteOutcome(joint, votes('abd'))).to.equal('pending');
    expect(voteOutcome(joint, votes('abde'))).to.equal('won');
    expect(voteOutcome(joint, votes('ab', 'de'))).to.equal('lost');
  });
});
