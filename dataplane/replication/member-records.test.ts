import { expect } from 'chai';
import { hardStateOf, hardStateRecord, raftEntry, recordsOf } from './member-records.ts';
import type { Entry } from '../raft/entry.ts';

const payload = Uint8Array.of(1, 2);
const configuration = { voters: ['a', 'b'], outgoing: ['b', 'c'], learners: ['d'] };
const entries: readonly Entry[] = [
  { kind: 'empty', term: 2, index: 7 },
  { kind: 'configuration', term: 2, index: 8, configuration },
  { kind: 'command', term: 3, index: 9, payload },
];
const nothing = { token: 1, hardState: undefined, snapshot: undefined, truncateFrom: undefined };

describe('the records of a member', () => {
  it('give entries back as they were', () => {
    const records = recordsOf(5, { ...nothing, entries }, undefined);
    expect(records.every(({ group }) => group === 5)).to.equal(true);
    expect(records.map(raftEntry)).to.deep.equal(entries);
  });

  it('give a term and a vote back, and that nobody was voted for', () => {
    for (const vote of ['node-a', undefined])
      for (const acknowledged of [undefined, { term: 3, index: 7 }]) {
        const hardState = { term: 4, vote, acknowledged };
        const found = hardStateOf(hardStateRecord(5, hardState, 9));
        expect(found).to.deep.equal({ ...hardState, committed: 9 });
      }
    const nothingKnown = { term: 0, vote: undefined, acknowledged: undefined, committed: 0 };
    expect(hardStateOf(undefined)).to.deep.equal(nothingKnown);
  });

  it('stand in the order in which they take effect', () => {
    const snapshot = { index: 6, term: 2, configuration };
    const persist = { ...nothing, snapshot, truncateFrom: 7, entries };
    const kinds = recordsOf(
      5,
      persist,
      hardStateRecord(5, { term: 4, vote: 'a', acknowledged: undefined }, 6),
    ).map(({ kind, index }) => `${kind} ${index}`);
    expect(kinds).to.deep.equal(['254 6', '253 6', '255 7', '2 7', '3 8', '1 9']);
  });
});
