import { expect } from 'chai';
import { Lease } from './lease.ts';

describe('a lease', () => {
  it('holds from the start of an answered round for an election time, less the drift of two clocks', () => {
    const lease = new Lease(1_000, 0.1);
    lease.sent(1, 5_000);
    expect(lease.isHeld(5_000)).to.equal(false);
    lease.acked(1);
    expect(lease.isHeld(5_809)).to.equal(true);
    expect(lease.isHeld(5_810)).to.equal(false);
  });

  it('is renewed by the newest answered round only', () => {
    const lease = new Lease(1_000, 0);
    lease.sent(1, 0);
    lease.sent(2, 500);
    lease.sent(3, 900);
    lease.acked(2);
    expect([lease.isHeld(1_499), lease.isHeld(1_500)]).to.deep.equal([true, false]);
    lease.acked(1);
    expect(lease.isHeld(1_499)).to.equal(true);
  });

  it('ends with leadership, and rounds of before do not bring it back', () => {
    const lease = new Lease(1_000, 0);
    lease.sent(1, 0);
    lease.end();
    lease.acked(1);
    expect(lease.isHeld(1)).to.equal(false);
  });
});
