import { expect } from 'chai';
import { Writable } from 'node:stream';
import { Outbox } from './outbox.ts';

/** A socket whose system takes as much as the test allows. */
class System {
  readonly written: string[] = [];
  /** Of writes that the system holds back. */
  readonly held: (() => void)[] = [];
  isSlow = false;
  ended = false;
  readonly socket = new Writable({
    write: (chunk: Buffer, _encoding, done): void => {
      if (chunk.length > 0) this.written.push(chunk.toString());
      if (this.isSlow) this.held.push(done);
      else done();
    },
    final: (done): void => {
      this.ended = true;
      done();
    },
  });

  /** The client reads: everything that is held back leaves, and what follows it. */
  async release(): Promise<void> {
    this.isSlow = false;
    while (this.held.length > 0) {
      this.held.shift()?.();
      await turn();
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the outbox', () => {
  let system: System;
  let waiting: number;
  let taken: number;

  beforeEach(() => {
    system = new System();
    [waiting, taken] = [0, 0];
  });

  const outboxOf = (limits: { queuedBytesMax?: number; sliceBytes?: number } = {}): Outbox =>
    new Outbox({
      socket: system.socket,
      queuedBytesMax: 1_000,
      sliceBytes: 100,
      ...limits,
      waiting: () => (waiting += 1),
      taken: () => (taken += 1),
    });
  const text = (length: number, letter = 'x'): Buffer => Buffer.from(letter.repeat(length));

  it('hands over the answers of one turn together', async () => {
    const outbox = outboxOf();
    for (const answer of ['a', 'b', 'c']) outbox.send(Buffer.from(answer));
    await turn();
    outbox.cork();
    for (const answer of ['d', 'e']) outbox.send(Buffer.from(answer));
    expect(system.written).to.deep.equal(['abc']);
    outbox.uncork();
    expect(system.written).to.deep.equal(['abc', 'de']);
    expect([outbox.queuedBytes, outbox.takenBytes, waiting]).to.deep.equal([0, 5, 0]);
  });

  it('cuts a large answer into slices, and knows how many of them left', async () => {
    const outbox = outboxOf();
    system.isSlow = true;
    outbox.send(text(250));
    await turn();
    expect(system.written.map(({ length }) => length)).to.deep.equal([100]);
    expect([outbox.queuedBytes, outbox.takenBytes, waiting]).to.deep.equal([250, 0, 1]);
    await system.release();
    expect(system.written.map(({ length }) => length)).to.deep.equal([100, 100, 50]);
    expect([outbox.queuedBytes, outbox.takenBytes]).to.deep.equal([0, 250]);
    expect(taken).to.be.greaterThan(0);
  });

  it('says that there is room again, also when the system takes everything at once', async () => {
    const outbox = outboxOf({ queuedBytesMax: 10 });
    outbox.send(text(20));
    expect(outbox.isFull).to.equal(true);
    await turn();
    expect([outbox.isFull, taken]).to.deep.equal([false, 1]);
  });

  it('gives room in turn, one for each answer that left', async () => {
    const outbox = outboxOf({ queuedBytesMax: 100 });
    expect(outbox.reserve(60)).to.equal(undefined);
    const order: number[] = [];
    for (const bytes of [60, 30]) void outbox.reserve(bytes)?.then(() => order.push(bytes));
    outbox.release(60);
    await turn();
    expect(order).to.deep.equal([60, 30]);
    expect(outbox.reserve(20)).to.be.instanceOf(Promise);
  });

  it('ends the stream behind what waits, and takes nothing more', async () => {
    const outbox = outboxOf();
    system.isSlow = true;
    outbox.send(text(3, 'a'));
    outbox.end();
    outbox.send(text(3, 'b'));
    await turn();
    expect(system.ended).to.equal(false);
    await system.release();
    await turn();
    expect([system.written, system.ended]).to.deep.equal([['aaa'], true]);
  });

  it('forgets everything when nobody is there any more', async () => {
    const outbox = outboxOf({ queuedBytesMax: 10 });
    system.isSlow = true;
    outbox.send(text(20));
    await turn();
    const room = outbox.reserve(5);
    outbox.close();
    await room;
    outbox.send(text(5));
    expect([outbox.queuedBytes, outbox.reserve(50)]).to.deep.equal([0, undefined]);
    await system.release();
    expect(taken).to.equal(0);
  });
});
