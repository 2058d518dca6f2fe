import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import type { Clock } from '../common/clock.ts';
import { Services } from './services.ts';
import type { Service } from './services.ts';

/** A clock whose sleeps end by their signal alone. */
const endless: Pick<Clock, 'sleep'> = {
  sleep: (_ms, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    }),
};

const elapsed: Pick<Clock, 'sleep'> = { sleep: () => nextTurn() };

describe('services', () => {
  let said: string[];
  let stopping: AbortController;

  beforeEach(() => {
    said = [];
    stopping = new AbortController();
  });

  const logged = (name: string, others: Partial<Service> = {}): Service => ({
    name,
    start: () => void said.push(`start ${name}`),
    drain: () => void said.push(`drain ${name}`),
    stop: () => void said.push(`stop ${name}`),
    ...others,
  });

  const services = (list: readonly Service[], clock = endless): Services =>
    new Services(list, { clock, signal: stopping.signal, drainMs: 10 });

  it('start in order, and drain and stop in the reverse order', async () => {
    const both = services([logged('a'), { name: 'none' }, logged('b')]);
    await both.start();
    await both.stop();
    expect(said).to.deep.equal(['start a', 'start b', 'drain b', 'drain a', 'stop b', 'stop a']);
  });

  it('start one after the other has started', async () => {
    const gate = Promise.withResolvers<void>();
    const both = services([logged('a', { start: () => gate.promise }), logged('b')]);
    const started = both.start();
    await nextTurn();
    expect(said).to.deep.equal([]);
    gate.resolve();
    await started;
    expect(said).to.deep.equal(['start b']);
  });

  it('stop what has begun to start when a start fails, and nothing else', async () => {
    const failing = logged('b', { start: () => Promise.reject(new Error('no port')) });
    const three = services([logged('a'), failing, logged('c')]);
    const failure = await three.start().catch((error: unknown) => (error as Error).message);
    await three.stop();
    expect(failure).to.equal('no port');
    expect(said).to.deep.equal(['start a', 'drain b', 'drain a', 'stop b', 'stop a']);
  });

  it('start nothing more once the node stops, and stop after the start that was under way', async () => {
    const gate = Promise.withResolvers<void>();
    const slow = logged('b', { start: () => gate.promise });
    const three = services([logged('a'), slow, logged('c')]);
    const outcome = three.start().catch((error: unknown) => (error as Error).message);
    await nextTurn();
    stopping.abort(new Error('the node is stopping'));
    const stopped = three.stop();
    await nextTurn();
    expect(said).to.deep.equal(['start a']);
    gate.resolve();
    await stopped;
    expect(await outcome).to.equal('the node is stopping');
    expect(said).to.deep.equal(['start a', 'drain b', 'drain a', 'stop b', 'stop a']);
  });

  it('stop at the deadline what does not drain', async () => {
    let deadline: AbortSignal | undefined;
    const busy = logged('b', {
      drain(signal) {
        deadline = signal;
        return Promise.withResolvers<void>().promise;
      },
    });
    const both = services([logged('a'), busy], elapsed);
    await both.start();
    await both.stop();
    expect(deadline?.aborted).to.equal(true);
    expect(said).to.deep.equal(['start a', 'start b', 'stop b', 'stop a']);
  });

  it('stop all of them when one fails to, and say so at the end', async () => {
    const failing = logged('b', {
      drain: () => Promise.reject(new Error('not drained')),
      stop: () => Promise.reject(new Error('not stopped')),
    });
    const both = services([logged('a'), failing]);
    await both.start();
    const failure = await both.stop().catch((error: unknown) => (error as Error).message);
    expect(failure).to.equal('not drained');
    expect(said).to.deep.equal(['start a', 'start b', 'drain a', 'stop a']);
  });
});
