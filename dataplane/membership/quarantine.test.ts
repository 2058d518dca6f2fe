import { expect } from 'chai';
import type { Status } from '../gossip/member.ts';
import { accusersNeeded, quarantinedAmong } from './quarantine.ts';
import type { JudgedMember } from './quarantine.ts';

/** Members by letter; `accusers` accuse `a`. */
function members(
  statuses: Readonly<Record<string, Status>>,
  accusers: string,
  changes: Readonly<Record<string, Partial<JudgedMember>>> = {},
): readonly JudgedMember[] {
  return Object.entries(statuses).map(([id, status]) => ({
    id,
    status,
    accusations: accusers.includes(id)
      ? [{ about: 'a', cause: 'replay' as const, detail: 'message 1', since: 10, until: 2_000 }]
      : [],
    own: undefined,
    ordered: undefined,
    ...changes[id],
  }));
}

const alive = (letters: string): Record<string, Status> =>
  Object.fromEntries(letters.split('').map((letter) => [letter, 'alive' as const]));

const found = (all: readonly JudgedMember[]): string[] => [...quarantinedAmong(all).keys()];

describe('a quarantine', () => {
  it('needs a majority of the members other than the accused, and two of them at least', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(accusersNeeded)).to.deep.equal([
      undefined,
      undefined,
      2,
      2,
      3,
      3,
      4,
      4,
    ]);
    const table: Readonly<Record<string, [few: string, enough: string]>> = {
      abc: ['b', 'bc'],
      abcd: ['b', 'bc'],
      abcde: ['bc', 'bcd'],
      abcdef: ['bc', 'bcd'],
    };
    for (const [all, [few, enough]] of Object.entries(table)) {
      expect(found(members(alive(all), few)), `${few} of ${all}`).to.deep.equal([]);
      expect(found(members(alive(all), enough)), `${enough} of ${all}`).to.deep.equal(['a']);
    }
  });

  it('is decided by nobody in a cluster of two', () => {
    expect(found(members(alive('ab'), 'b'))).to.deep.equal([]);
    expect(found(members(alive('a'), 'a'))).to.deep.equal([]);
  });

  it('is not decided by a part of the cluster that takes the rest for dead', () => {
    const cut = { ...alive('abc'), d: 'dead', e: 'dead' } as const;
    expect(found(members(cut, 'bc'))).to.deep.equal([]);
    // Who has left returns on its own.
    const left = { ...alive('abc'), d: 'left', e: 'left' } as const;
    expect(found(members(left, 'bc'))).to.deep.equal(['a']);
  });

  it('does not count accusers that are dead, nor the accused itself', () => {
    expect(found(members({ ...alive('abd'), c: 'dead' }, 'bc'))).to.deep.equal([]);
    expect(found(members(alive('abc'), 'ab'))).to.deep.equal([]);
    expect(found(members({ ...alive('ab'), c: 'suspect' }, 'bc'))).to.deep.equal(['a']);
  });

  it('says why, since when and by whom', () => {
    const changes = {
      c: {
        accusations: [
          { about: 'a', cause: 'clockOffset' as const, detail: '60 s', since: 500, until: 2_000 },
        ],
      },
    };
    expect(quarantinedAmong(members(alive('abc'), 'b', changes)).get('a')).to.deep.equal({
      causes: ['clockOffset', 'replay'],
      reason:
        'has a clock that is wrong (60 s), and repeats messages (message 1), as 2 of 2 other members say',
      since: 500,
      accusers: ['b', 'c'],
    });
  });

  it('is what a node says of itself, or an administrator has ordered, in a cluster of any size', () => {
    const own = { a: { own: { detail: 'segment 3', since: 5 } } };
    expect(quarantinedAmong(members(alive('a'), '', own)).get('a')).to.deep.equal({
      causes: ['walCorruption'],
      reason: 'has a damaged write-ahead log: segment 3',
      since: 5,
      accusers: [],
    });
    const ordered = { a: { ordered: { reason: 'maintenance', at: 7 } } };
    expect(quarantinedAmong(members(alive('ab'), '', ordered)).get('a')).to.include({
      reason: 'was quarantined by an administrator: maintenance',
      since: 7,
    });
  });
});
