import { expect } from 'chai';
import * as fc from 'fast-check';
import { noBytes } from '../common/bytes.ts';
import { Continuity } from './continuity.ts';
import { truncateKind } from './record.ts';
import type { WalRecord } from './record.ts';

const at = (term: number, index: number, kind = 1): WalRecord => ({
  group: 3,
  term,
  index,
  kind,
  payload: noBytes,
});

describe('the continuity of a group', () => {
  it('begins anywhere, and then misses nothing', () => {
    const continuity = new Continuity();
    expect(continuity.note(at(2, 40))).to.equal(undefined);
    expect(continuity.note(at(2, 42))).to.equal('entry 42 of group 3 does not follow entry 40');
    expect(continuity.note(at(1, 41))).to.contain('goes back from term 2 to 1');
    expect(continuity.last(3)).to.deep.equal({ term: 2, index: 40 });
    expect(continuity.last(4)).to.equal(undefined);
  });

  it('goes on behind a truncation, also one of everything that the log has', () => {
    const continuity = new Continuity();
    for (const record of [at(2, 5), at(3, 6), at(5, 7)]) continuity.note(record);
    continuity.note(at(0, 9, truncateKind));
    expect(continuity.last(3)).to.deep.equal({ term: 5, index: 7 });
    continuity.note(at(0, 6, truncateKind));
    expect(continuity.last(3)).to.deep.equal({ term: 2, index: 5 });
    continuity.note(at(0, 5, truncateKind));
    expect([continuity.last(3), continuity.lasts().size]).to.deep.equal([undefined, 0]);
    expect(continuity.note(at(6, 6))).to.contain('does not follow entry 4');
    expect(continuity.note(at(6, 5))).to.equal(undefined);
  });

  it('does not mind a truncation of a group that it does not know', () => {
    const continuity = new Continuity();
    expect(continuity.note(at(0, 50, truncateKind))).to.equal(undefined);
    expect(continuity.note(at(1, 50))).to.equal(undefined);
  });

  it('knows the last entry like a list of all of them, also when old terms are forgotten', () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('append' as const), termStep: fc.nat(2) }),
      fc.record({ type: fc.constant('truncate' as const), back: fc.nat(4) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const continuity = new Continuity();
        const list: number[] = [];
        let floor = 0;
        for (const next of steps) {
          if (next.type === 'append') {
            const term = (list.at(-1) ?? 1) + next.termStep;
            list.push(term);
            expect(continuity.note(at(term, list.length))).to.equal(undefined);
          } else {
            // What is flushed is committed: nobody truncates it.
            const from = Math.max(floor + 1, list.length + 1 - next.back);
            list.splice(from - 1);
            continuity.note(at(0, from, truncateKind));
            floor = Math.max(floor, list.length - 3);
            continuity.forgetBelow(new Map([[3, floor]]));
          }
          const term = list.at(-1);
          const wanted = term === undefined ? undefined : { term, index: list.length };
          expect(continuity.last(3)).to.deep.equal(wanted);
        }
      }),
    );
  });
});
