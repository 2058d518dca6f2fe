import { expect } from 'chai';
import { WriteLedger } from './write-ledger.ts';

const isRefused = (check: () => void): boolean => {
  try {
    check();
    return false;
  } catch {
    return true;
  }
};

describe('a ledger of writes', () => {
  let ledger: WriteLedger;

  beforeEach(() => {
    ledger = new WriteLedger();
    ledger.sent('w', 'a', 1);
    ledger.durable('w');
  });

  it('notices what is lost, stale or invented', () => {
    for (const found of [undefined, 2]) {
      expect(
        isRefused(() => ledger.check('a', found, '')),
        String(found),
      ).to.equal(true);
    }
    expect(isRefused(() => ledger.check('b', 1, ''))).to.equal(true);
    expect(isRefused(() => ledger.check('a', 1, ''))).to.equal(false);
  });

  it('takes what was sent and not acknowledged either way, and then for certain', () => {
    ledger.sent('w', 'a', 2);
    ledger.sent('w', 'a', undefined);
    ledger.crashed();
    ledger.check('a', 2, '');
    expect(isRefused(() => ledger.check('a', 1, ''))).to.equal(true);
  });

  it('takes what a writer sent before something durable for durable, but not over a crash', () => {
    ledger.sent('w', 'a', 2);
    ledger.sent('w', 'b', 1);
    ledger.durable('w');
    expect(isRefused(() => ledger.check('a', 1, ''))).to.equal(true);
    ledger.sent('w', 'a', 3);
    ledger.crashed();
    ledger.sent('w', 'b', 2);
    ledger.durable('w');
    ledger.check('a', 2, '');
  });
});
