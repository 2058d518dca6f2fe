import { expect } from 'chai';
import { differs, Verification } from './verification.ts';

const rows = (hash: number, keyspace = 1) => ({
  keyspace,
  count: 3,
  bytes: 90,
  hash,
});
const voters = ['a', 'b', 'c'];

function verdict(
  reports: Readonly<Record<string, readonly ReturnType<typeof rows>[]>>,
  of = voters,
) {
  const verification = new Verification(7);
  for (const [member, sums] of Object.entries(reports)) verification.add(member, sums);
  return verification.verdict(of);
}

describe('a comparison of replicas', () => {
  it('waits for all members while those that reported are equal', () => {
    expect(verdict({ a: [rows(1)], b: [rows(1)] })).to.deep.equal({
      type: 'open',
    });
    expect(verdict({ a: [rows(1)], b: [rows(1)], c: [rows(1)] })).to.deep.equal({ type: 'equal' });
  });

  it('calls the one wrong that differs from a majority, whoever leads', () => {
    for (const wrong of voters) {
      const reports = Object.fromEntries(
        voters.map((voter) => [voter, [rows(voter === wrong ? 2 : 1)]]),
      );
      expect(verdict(reports)).to.deep.equal({
        type: 'differs',
        wrong: [wrong],
        sums: [rows(1)],
      });
    }
  });

  it('calls nobody wrong where no majority agrees', () => {
    expect(verdict({ a: [rows(1)], b: [rows(2)] }, ['a', 'b'])).to.deep.equal({
      type: 'undecided',
    });
    const all = { a: [rows(1)], b: [rows(2)], c: [rows(3)] };
    expect(verdict(all)).to.deep.equal({ type: 'undecided' });
    // Two of five are none, and two that are missing may agree with either.
    const five = { a: [rows(1)], b: [rows(1)], c: [rows(2)] };
    expect(verdict(five, [...voters, 'd', 'e'])).to.deep.equal({
      type: 'open',
    });
  });

  it('decides without a member that is silent, when a majority has reported the same', () => {
    const five = { a: [rows(1)], b: [rows(1)], c: [rows(1)], d: [rows(2)] };
    const found = verdict(five, ['a', 'b', 'c', 'd', 'e']);
    expect(found).to.deep.include({ type: 'differs', wrong: ['d'] });
  });

  it('counts voters alone, and compares learners with them', () => {
    const reports = {
      a: [rows(1)],
      b: [rows(1)],
      l: [rows(2)],
      m: [rows(2)],
      n: [rows(2)],
    };
    expect(verdict(reports, ['a', 'b'])).to.deep.include({
      type: 'differs',
      wrong: ['l', 'm', 'n'],
    });
  });

  it('compares the indexes that members have built', () => {
    const [index, other] = [rows(5, 9), rows(6, 9)];
    expect(verdict({ a: [rows(1), index], b: [rows(1), index], c: [rows(1)] })).to.deep.equal({
      type: 'equal',
    });
    const reports = {
      a: [rows(1), index],
      b: [rows(1), index],
      c: [rows(1), other],
    };
    expect(verdict(reports)).to.deep.include({ type: 'differs', wrong: ['c'] });
    expect(differs([rows(1), index], [rows(1), other])).to.equal(true);
    expect(differs([rows(1), index], [rows(1)])).to.equal(false);
  });
});
