import { expect } from 'chai';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ManualClock } from '../wal/testing/manual-clock.ts';
import { Drain } from './drain.ts';

const graceMs = 10_000;

/** A node whose queries and groups are numbers. */
class Drained {
  readonly clock = new ManualClock();
  readonly said: boolean[] = [];
  running = 0;
  led = 2;
  handOver = async (): Promise<void> => {
    this.led = 0;
  };
  readonly drain = new Drain({
    clock: this.clock,
    graceMs,
    announce: (isDraining) => void this.said.push(isDraining),
    handOver: () => this.handOver(),
    led: () => this.led,
    clients: async () => ({ running: this.running, connections: 3 }),
  });

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 50) {
      this.clock.advance(50);
      for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    }
  }

  async phase(): Promise<string> {
    return (await this.drain.report()).phase;
  }
}

describe('the drain of a node', () => {
  it('takes no new clients, hands leadership over, and ends when no query runs', async () => {
    const node = new Drained();
    expect(node.drain.isActive).to.equal(false);
    expect(await node.phase()).to.equal('serving');
    node.running = 1;
    node.drain.begin();
    expect(node.drain.isActive).to.equal(true);
    expect(node.said).to.deep.equal([true]);
    await node.pass(1_000);
    const report = { phase: 'draining', running: 1, connections: 3, led: 0 };
    expect(await node.drain.report()).to.deep.equal(report);
    node.running = 0;
    await node.pass(200);
    await node.drain.ended;
    expect(await node.drain.report()).to.deep.equal({ ...report, phase: 'drained', running: 0 });
    expect(node.drain.isActive).to.equal(true);
  });

  it('ends after its time although a query runs', async () => {
    const node = new Drained();
    node.running = 1;
    node.drain.begin();
    await node.pass(graceMs - 200);
    expect(await node.phase()).to.equal('draining');
    await node.pass(400);
    await node.drain.ended;
    expect(await node.drain.report()).to.include({ phase: 'drained', running: 1 });
  });

  it('is one, however often it is ordered', async () => {
    const node = new Drained();
    node.drain.begin();
    node.drain.begin();
    await node.drain.ended;
    node.drain.begin();
    expect(node.said).to.deep.equal([true]);
    expect(await node.phase()).to.equal('drained');
  });

  it('can be ended at any time, and begun again', async () => {
    const node = new Drained();
    node.drain.end();
    expect(node.said).to.deep.equal([]);
    node.running = 1;
    node.drain.begin();
    const first = node.drain.ended;
    await node.pass(100);
    node.drain.end();
    await first;
    expect(await node.phase()).to.equal('serving');
    expect(node.drain.isActive).to.equal(false);
    node.running = 0;
    node.drain.begin();
    await node.drain.ended;
    expect(await node.phase()).to.equal('drained');
    expect(node.said).to.deep.equal([true, false, true]);
  });

  it('that was ended does not end the next one', async () => {
    const node = new Drained();
    const handedOver = Promise.withResolvers<void>();
    node.handOver = () => handedOver.promise;
    node.drain.begin();
    const first = node.drain.ended;
    node.drain.end();
    node.handOver = async () => undefined;
    node.running = 1;
    node.drain.begin();
    handedOver.resolve();
    await first;
    expect(await node.phase()).to.equal('draining');
  });
});
