import { expect } from 'chai';
import * as fc from 'fast-check';
import { Channel } from './channel.ts';
import type { ChannelLimits, ChannelOptions } from './channel.ts';
import { ChannelFrameReader, encodeChannelFrame, frameKinds } from './channel-frame.ts';
import { ChannelClosedError, ChannelOverloadedError, RemoteFailure } from './errors.ts';

const limits: ChannelLimits = {
  frameBytesMax: 10_000,
  requestsMax: 4,
  queuedBytesHigh: 1_000,
  queuedBytesMax: 3_000,
};

interface Side {
  readonly channel: Channel;
  /** Writes that have not been delivered. */
  readonly writes: Buffer[];
  readonly notices: unknown[];
  reason: Error | undefined;
  takes: boolean;
  /** Ends the turn. */
  turn(): void;
}

function side(serve: ChannelOptions['serve'], own: ChannelLimits = limits): Side {
  const deferred: (() => void)[] = [];
  const made: Omit<Side, 'channel'> & { channel?: Channel } = {
    writes: [],
    notices: [],
    reason: undefined,
    takes: true,
    turn: () => deferred.splice(0).forEach((flush) => flush()),
  };
  made.channel = new Channel({
    pipe: { write: (bytes) => (made.writes.push(Buffer.from(bytes)), made.takes), close: () => {} },
    limits: own,
    defer: (flush) => void deferred.push(flush),
    serve,
    noticed: (body) => void made.notices.push(body),
    failureOf: (error) => ({ message: (error as Error).message }),
    ended: (reason) => void (made.reason = reason),
  });
  return made as Side;
}

const nothing: ChannelOptions['serve'] = () => null;

/** Delivers what both sides have written until nothing is on its way. */
async function settle(a: Side, b: Side): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet += 1) {
    await Promise.resolve();
    a.turn();
    b.turn();
    if (a.writes.length + b.writes.length > 0) quiet = 0;
    for (const bytes of a.writes.splice(0)) b.channel.received(bytes);
    for (const bytes of b.writes.splice(0)) a.channel.received(bytes);
  }
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it succeeded');
}

describe('a channel between the core and a query worker', () => {
  it('carries requests of both sides, answered in any order', async () => {
    const waiting: (() => void)[] = [];
    const core = side((body) => new Promise((resolve) => waiting.unshift(() => resolve([body]))));
    const worker = side((body) => ({ twice: [body, body] }));
    const asked = [1, 'two', { three: new Uint8Array([3]) }].map((body) =>
      worker.channel.request(body),
    );
    const back = core.channel.request('back');
    await settle(core, worker);
    waiting.splice(0).forEach((answer) => answer());
    await settle(core, worker);
    expect(await Promise.all(asked)).to.deep.equal([[1], ['two'], [{ three: Buffer.from([3]) }]]);
    expect(await back).to.deep.equal({ twice: ['back', 'back'] });
  });

  it('sends what was said in one turn in one write', () => {
    const worker = side(nothing);
    for (let at = 0; at < 3; at += 1) void worker.channel.request(at);
    worker.channel.notify('and a notice');
    expect(worker.writes).to.have.length(0);
    worker.turn();
    expect(worker.writes).to.have.length(1);
  });

  it('gives a failure to the one who asked', async () => {
    const core = side((body) => {
      if (body === 'at once') throw new Error('no');
      return Promise.reject(new Error('not later either'));
    });
    const worker = side(nothing);
    const failures = ['at once', 'later'].map((body) => failure(worker.channel.request(body)));
    await settle(core, worker);
    const found = (await Promise.all(failures)) as RemoteFailure[];
    expect(found.every((error) => error instanceof RemoteFailure)).to.equal(true);
    expect(found.map(({ failure: data }) => data)).to.deep.equal([
      { message: 'no' },
      { message: 'not later either' },
    ]);
  });

  it('cancels a request on the other side', async () => {
    const aborted: unknown[] = [];
    const core = side(
      (_body, request) =>
        new Promise((_resolve, reject) =>
          request.signal.addEventListener('abort', () => {
            aborted.push(request.signal.reason);
            reject(request.signal.reason as Error);
          }),
        ),
    );
    const worker = side(nothing);
    const abort = new AbortController();
    const asked = failure(worker.channel.request('long', abort.signal));
    await settle(core, worker);
    abort.abort(new Error('the client is gone'));
    expect((await asked).message).to.equal('the client is gone');
    await settle(core, worker);
    expect(aborted).to.have.length(1);
    expect(worker.channel.pending).to.equal(0);
    expect((await failure(worker.channel.request('too late', abort.signal))).message).to.equal(
      'the client is gone',
    );
  });

  it('ends every request exactly once when the other side is gone', async () => {
    let signal: AbortSignal | undefined;
    const core = side((_body, request) => {
      ({ signal } = request);
      return new Promise(() => undefined);
    });
    const worker = side(nothing);
    const asked = failure(worker.channel.request('x'));
    await settle(core, worker);
    worker.channel.lost();
    core.channel.lost();
    expect(await asked).to.be.instanceOf(ChannelClosedError);
    expect(signal?.aborted).to.equal(true);
    expect(core.reason).to.be.instanceOf(ChannelClosedError);
    expect(await failure(worker.channel.request('y'))).to.be.instanceOf(ChannelClosedError);
  });

  it('holds requests of a side that does not read its answers, and continues when it does', async () => {
    let begun = 0;
    const core = side(() => ((begun += 1), 'x'.repeat(600)));
    core.takes = false;
    const ask = (id: number): void =>
      core.channel.received(encodeChannelFrame({ kind: 'request', id, body: null }));
    ask(1);
    core.turn();
    // The pipe is full from here on: answers wait.
    for (const id of [2, 3, 4, 5]) ask(id);
    expect(begun).to.equal(3);
    core.takes = true;
    core.channel.drained();
    core.turn();
    expect(begun).to.equal(5);
    expect(core.channel.isOpen).to.equal(true);
  });

  it('ends when a side asks for more at once than may be under way', () => {
    const core = side(() => new Promise(() => undefined));
    for (let id = 1; id <= limits.requestsMax + 1; id += 1)
      core.channel.received(encodeChannelFrame({ kind: 'request', id, body: null }));
    expect(core.reason).to.be.instanceOf(ChannelOverloadedError);
  });

  it('refuses requests beyond what may wait to be sent', async () => {
    const worker = side(nothing);
    worker.takes = false;
    const first = worker.channel.request('x');
    worker.turn();
    const more = ['a', 'b', 'c'].map((one) => worker.channel.request(one.repeat(1_400)));
    const refused = await failure(worker.channel.request('d'));
    expect(refused).to.be.instanceOf(ChannelOverloadedError);
    expect(worker.channel.isOpen).to.equal(true);
    void first.catch(() => undefined);
    void Promise.allSettled(more);
  });

  it('refuses a message that is too large on the side that makes it', async () => {
    const core = side(() => 'x'.repeat(limits.frameBytesMax));
    const worker = side(nothing);
    const tooLarge = await failure(worker.channel.request('x'.repeat(limits.frameBytesMax)));
    expect(tooLarge).to.be.instanceOf(ChannelOverloadedError);
    const asked = failure(worker.channel.request('give me much'));
    await settle(core, worker);
    expect(await asked).to.be.instanceOf(RemoteFailure);
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (chunks) => {
        const core = side(nothing);
        for (const chunk of chunks) core.channel.received(Buffer.from(chunk));
        core.turn();
      }),
      { numRuns: 500 },
    );
  });

  it('survives frames that its state does not allow', () => {
    const frame = fc.record({
      kind: fc.constantFrom(...frameKinds),
      id: fc.constantFrom(0, 1, 2, 0xffff_ffff),
      body: fc.oneof(fc.constant(null), fc.string(), fc.array(fc.integer())),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), (frames) => {
        const core = side(() => new Promise(() => undefined));
        const asked = core.channel.request('x');
        asked.catch(() => undefined);
        for (const each of frames) core.channel.received(encodeChannelFrame(each));
        core.turn();
      }),
      { numRuns: 300 },
    );
  });

  it('reads frames however the stream is cut, and damaged ones as errors', () => {
    const sent = [
      { kind: 'request', id: 7, body: { key: 'x'.repeat(300) } },
      { kind: 'notice', id: 0, body: [1, null, true] },
    ] as const;
    const bytes = Buffer.concat(sent.map(encodeChannelFrame));
    for (let cut = 1; cut < bytes.length; cut += 1) {
      const reader = new ChannelFrameReader(limits.frameBytesMax);
      const read = [...reader.push(bytes.subarray(0, cut)), ...reader.push(bytes.subarray(cut))];
      expect(read).to.deep.equal(sent);
    }
    const announced = Buffer.alloc(4);
    announced.writeUInt32LE(limits.frameBytesMax + 1);
    expect(() => [...new ChannelFrameReader(limits.frameBytesMax).push(announced)]).to.throw(
      'announces',
    );
  });
});
