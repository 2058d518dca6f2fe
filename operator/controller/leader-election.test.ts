import { expect } from 'chai';
import type { Clock } from './clock.ts';
import { sleep } from './clock.ts';
import type { LeaderObservation, LeaseStore } from './leader-election.ts';
import { LeaderElection } from './leader-election.ts';
import type { Lease, LeaseSpec } from './lease.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';

/** One lease, kept as an API server would; each candidate can be cut off from it. */
class MemoryLease {
  lease: Lease | undefined;
  readonly written: LeaseSpec[] = [];
  readonly unreachable = new Set<string>();
  readonly hanging = new Set<string>();
  #version = 0;

  storeOf(who: string): LeaseStore {
    return {
      read: async (signal) => {
        await this.#reach(who, signal);
        return this.lease;
      },
      create: async (spec, signal) => {
        await this.#reach(who, signal);
        if (this.lease !== undefined) throw new Error('already exists');
        return this.write(spec);
      },
      update: async (resourceVersion, spec, signal) => {
        await this.#reach(who, signal);
        if (this.lease?.resourceVersion !== resourceVersion) throw new Error('conflict');
        return this.write(spec);
      },
    };
  }

  write(spec: LeaseSpec): Lease {
    this.#version += 1;
    this.written.push(spec);
    this.lease = { resourceVersion: String(this.#version), spec };
    return this.lease;
  }

  async #reach(who: string, signal: AbortSignal): Promise<void> {
    if (this.unreachable.has(who)) throw new Error('unreachable');
    if (!this.hanging.has(who)) return;
    await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('gave up')), { once: true });
    });
  }
}

class Replica {
  readonly seen: LeaderObservation['type'][] = [];
  readonly election: LeaderElection;
  readonly ended: Promise<'stopped' | 'lost'>;
  readonly #stopper = new AbortController();
  working = false;

  constructor(who: string, memory: MemoryLease, clock: Clock) {
    this.election = new LeaderElection({
      store: memory.storeOf(who),
      identity: who,
      clock,
      random: () => 0.5,
      observe: ({ type }) => this.seen.push(type),
    });
    this.ended = this.election.run(async (signal) => {
      this.working = true;
      await sleep(clock, 1e12, signal);
      this.working = false;
    }, this.#stopper.signal);
  }

  stop(): Promise<'stopped' | 'lost'> {
    this.#stopper.abort();
    return this.ended;
  }
}

const microTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

describe('leader election', () => {
  it('makes one leader of several, and writes times with six digits', async () => {
    const [clock, memory] = [new FakeClock(), new MemoryLease()];
    const replicas = ['a', 'b', 'c'].map((who) => new Replica(who, memory, clock));
    await clock.advance(60_000);
    expect(replicas.filter(({ working }) => working)).to.have.length(1);
    for (const spec of memory.written) {
      expect(spec.renewTime).to.match(microTime);
      expect(spec.acquireTime).to.match(microTime);
    }
    expect(memory.lease?.spec.leaseDurationSeconds).to.equal(15);
    expect(replicas[1]?.election.holder).to.equal(memory.lease?.spec.holderIdentity);
    for (const replica of replicas) await replica.stop();
    expect(clock.timers).to.equal(0);
  });

  it('hands over at once when the leader stops, after its work has ended', async () => {
    const [clock, memory] = [new FakeClock(), new MemoryLease()];
    const first = new Replica('a', memory, clock);
    await clock.advance(100);
    const second = new Replica('b', memory, clock);
    await clock.advance(10_000);
    expect([first.working, second.working]).to.deep.equal([true, false]);
    expect(await first.stop()).to.equal('stopped');
    expect(first.working).to.equal(false);
    expect(memory.lease?.spec.holderIdentity).to.equal('');
    await clock.advance(5000);
    expect(second.working).to.equal(true);
    expect(memory.lease?.spec.leaseTransitions).to.equal(1);
    await second.stop();
  });

  it('never has two leaders when the first one is cut off', async () => {
    const [clock, memory] = [new FakeClock(), new MemoryLease()];
    const first = new Replica('a', memory, clock);
    await clock.advance(100);
    const second = new Replica('b', memory, clock);
    await clock.advance(10_000);
    memory.unreachable.add('a');
    for (let elapsedMs = 0; elapsedMs < 30_000; elapsedMs += 100) {
      await clock.advance(100);
      expect(first.working && second.working).to.equal(false);
    }
    expect(await first.ended).to.equal('lost');
    expect(second.working).to.equal(true);
    expect(first.seen).to.include('lost');
    expect(first.seen).not.to.include('released');
    await second.stop();
  });

  it('gives up in time although its requests hang, and survives one that hangs', async () => {
    const [clock, memory] = [new FakeClock(), new MemoryLease()];
    const replica = new Replica('a', memory, clock);
    await clock.advance(5000);
    memory.hanging.add('a');
    await clock.advance(4000);
    memory.hanging.delete('a');
    await clock.advance(30_000);
    expect(replica.working).to.equal(true);
    memory.hanging.add('a');
    await clock.advance(10_000);
    expect(replica.working).to.equal(false);
    memory.hanging.delete('a');
    expect(await replica.ended).to.equal('lost');
  });

  it('believes its own clock, not the times in the lease', async () => {
    const [clock, memory] = [new FakeClock(), new MemoryLease()];
    memory.write({
      holderIdentity: 'dead',
      leaseDurationSeconds: 15,
      renewTime: '2099-01-01T00:00:00.000000Z',
      leaseTransitions: 3,
    });
    const replica = new Replica('a', memory, clock);
    await clock.advance(14_000);
    expect(replica.working).to.equal(false);
    await clock.advance(6000);
    expect(replica.working).to.equal(true);
    expect(memory.lease?.spec.leaseTransitions).to.equal(4);
    await replica.stop();
  });

  it('does not take over from a holder who renews, whatever times it writes', async () => {
    const [clock, memory] = [new FakeClock(), new MemoryLease()];
    const replica = new Replica('a', memory, clock);
    const held = { holderIdentity: 'b', leaseDurationSeconds: 15 };
    memory.write({ ...held, renewTime: '1999-01-01T00:00:00.000000Z' });
    for (let renewal = 0; renewal < 10; renewal += 1) {
      await clock.advance(10_000);
      memory.write({ ...held, renewTime: '1999-01-01T00:00:00.000000Z' });
    }
    expect(replica.working).to.equal(false);
    expect(await replica.stop()).to.equal('stopped');
  });

  it('stops when another one has written itself into the lease', async () => {
    const [clock, memory] = [new FakeClock(), new MemoryLease()];
    const replica = new Replica('a', memory, clock);
    await clock.advance(5000);
    memory.write({ holderIdentity: 'b', leaseDurationSeconds: 15 });
    await clock.advance(6000);
    expect(await replica.ended).to.equal('lost');
    expect(memory.lease?.spec.holderIdentity).to.equal('b');
  });

  it('does not call itself leader after a stall longer than the renewal deadline', async () => {
    const memory = new MemoryLease();
    const clock = new FakeClock();
    let stallMs = 0;
    const stalling: Clock = {
      now: () => clock.now() + stallMs,
      wallMs: () => clock.wallMs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
    };
    const replica = new Replica('a', memory, stalling);
    await clock.advance(3000);
    expect(replica.election.isLeader).to.equal(true);
    stallMs = 20_000;
    expect(replica.election.isLeader).to.equal(false);
    await clock.advance(2000);
    expect(await replica.ended).to.equal('lost');
  });

  it('releases the lease when the work fails, and passes the failure on', async () => {
    const [clock, memory] = [new FakeClock(), new MemoryLease()];
    const election = new LeaderElection({
      store: memory.storeOf('a'),
      identity: 'a',
      clock,
      random: () => 0,
    });
    let failure: unknown;
    const lead = async (): Promise<void> => {
      throw new Error('broken');
    };
    await election.run(lead, new AbortController().signal).catch((error: unknown) => {
      failure = error;
    });
    await settle();
    expect(failure).to.be.an('error').with.property('message', 'broken');
    expect(memory.lease?.spec.holderIdentity).to.equal('');
  });

  it('refuses periods that would allow two leaders', () => {
    const clock = new FakeClock();
    const base = { store: new MemoryLease().storeOf('a'), identity: 'a', clock, random: () => 0 };
    expect(() => new LeaderElection({ ...base, renewDeadlineMs: 15_000 })).to.throw('outlast');
    expect(() => new LeaderElection({ ...base, retryPeriodMs: 10_000 })).to.throw('outlast');
  });
});
