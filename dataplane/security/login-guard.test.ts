import { expect } from 'chai';
import type { Clock } from '../common/clock.ts';
import { LoginGuard, loginLimits, networkOf } from './login-guard.ts';

const { pairFailuresFree, addressFailuresFree, refusalMaxMs, forgivenMs, entriesMax } = loginLimits;

function guardAt(): { guard: LoginGuard; readonly pass: (ms: number) => void } {
  let now = 0;
  const clock: Pick<Clock, 'now'> = { now: () => now };
  return { guard: new LoginGuard(clock), pass: (ms) => void (now += ms) };
}

const times = (count: number, action: (at: number) => void): void => {
  for (let at = 0; at < count; at += 1) action(at);
};

describe('the guard of logins', () => {
  it('lets a few failures pass, then refuses for a time that doubles up to a bound', () => {
    const { guard, pass } = guardAt();
    const gate = guard.at('10.0.0.1');
    times(pairFailuresFree, () => gate.failed('ann'));
    expect(gate.waitMs('ann')).to.equal(0);
    const waits: number[] = [];
    times(8, () => {
      gate.failed('ann');
      waits.push(gate.waitMs('ann'));
      pass(gate.waitMs('ann'));
      expect(gate.waitMs('ann')).to.equal(0);
    });
    expect(waits.slice(0, 4)).to.deep.equal([1_000, 2_000, 4_000, 8_000]);
    expect(Math.max(...waits)).to.be.at.most(refusalMaxMs);
  });

  it('never shuts out another address, nor another user of the same one', () => {
    const { guard } = guardAt();
    times(pairFailuresFree + 3, () => guard.at('10.0.0.1').failed('ann'));
    expect(guard.at('10.0.0.1').waitMs('ann')).to.be.greaterThan(0);
    expect(guard.at('10.0.0.2').waitMs('ann')).to.equal(0);
    expect(guard.at('10.0.0.1').waitMs('bob')).to.equal(0);
  });

  it('treats loopback as any other address', () => {
    const { guard } = guardAt();
    times(pairFailuresFree + 1, () => guard.at('::ffff:127.0.0.1').failed('admin'));
    expect(guard.at('127.0.0.1').waitMs('admin')).to.be.greaterThan(0);
  });

  it('starts again after a success, and forgives with time', () => {
    const { guard, pass } = guardAt();
    const gate = guard.at('10.0.0.1');
    times(pairFailuresFree, () => gate.failed('ann'));
    gate.succeeded('ann');
    gate.failed('ann');
    expect(gate.waitMs('ann')).to.equal(0);
    times(pairFailuresFree - 1, () => gate.failed('ann'));
    pass(forgivenMs * 3);
    gate.failed('ann');
    expect(gate.waitMs('ann')).to.equal(0);
  });

  it('refuses an address that tries ever other users, whatever password it knows', () => {
    const { guard } = guardAt();
    const gate = guard.at('10.0.0.1');
    times(addressFailuresFree + 1, (at) => {
      gate.failed(`user${at}`);
      gate.succeeded('mallory');
    });
    expect(gate.waitMs('somebody')).to.be.greaterThan(0);
    expect(guard.at('10.0.0.2').waitMs('somebody')).to.equal(0);
  });

  it('remembers a bounded number', () => {
    const { guard } = guardAt();
    times(entriesMax * 2, (at) =>
      guard.at(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`).failed('a'),
    );
    expect(guard.size).to.equal(entriesMax * 2);
    times(entriesMax, (at) => guard.at('10.9.9.9').failed(`u${at}`.repeat(500)));
    expect(guard.size).to.equal(entriesMax * 2);
  });

  it('takes a /64 of IPv6 for one address', () => {
    expect(networkOf('2001:db8:1:2:3:4:5:6')).to.equal(networkOf('2001:db8:1:2::9'));
    expect(networkOf('2001:db8:1:3::9')).not.to.equal(networkOf('2001:db8:1:2::9'));
    expect(networkOf('fe80::1%eth0')).to.equal('fe80:0:0:0::/64');
    expect(networkOf('::1')).to.equal('0:0:0:0::/64');
    expect(networkOf('::ffff:10.1.2.3')).to.equal('10.1.2.3');
  });
});
