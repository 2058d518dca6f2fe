import { expect } from 'chai';
import { PhotonError } from '../common/errors.ts';
import { encodeFrame, frameBytesMax, FrameReader } from '../wire/frame.ts';
import type { Frame } from '../wire/frame.ts';
import { messageBytesMax, partBytes } from './parts.ts';
import type { Session } from './session.ts';
import { ManualClock } from '../wal/testing/manual-clock.ts';
import { alice, bob, clusterId, pair, settled } from './testing/pair.ts';
import type { Side } from './testing/pair.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);
const interactive = { priority: 'interactive', deadlineMs: 1_000 } as const;

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return (error as PhotonError).code;
  }
};

class TestError extends PhotonError {
  readonly code = 'test.refused';
}

const reasonOf = ({ reasons }: Side): string => reasons[0]?.message ?? 'open';

describe('a session between two nodes', () => {
  it('carries requests of both sides, many at a time, each with its own answer', async () => {
    const { alice: a, bob: b } = pair({ alice: { incomingMax: 50 }, bob: { incomingMax: 50 } });
    const asked = Array.from({ length: 40 }, (_, at) => at);
    const answers = await Promise.all(
      asked.map((at) => (at % 2 === 0 ? a : b).session.request(7, bytes(`${at}`), interactive)),
    );
    expect(answers.map(text)).to.deep.equal(asked.map(String));
  });

  it('tells the handler who asks, and what', async () => {
    const { alice: a } = pair({
      handle: async ({ peer, type }) => bytes(`${peer.nodeId} ${type}`),
    });
    const answer = await a.session.request(9, bytes(''), interactive);
    expect(text(answer)).to.equal(`${alice.nodeId} 9`);
  });

  it('ends when the peer does not say in time who it is', async () => {
    const clock = new ManualClock();
    const { alice: a, bob: b } = pair({ clock });
    await settled();
    const silent = pair({ clock });
    // Before its first frame arrives.
    silent.alice.pipe.other = undefined;
    clock.advance(1_000);
    await settled();
    expect(reasonOf(silent.bob)).to.equal('The peer did not say who it is within 1000 ms.');
    expect(silent.bob.pipe.isOpen).to.equal(false);
    expect([reasonOf(a), reasonOf(b)]).to.deep.equal(['open', 'open']);
  });

  it('answers errors of the handler with their code', async () => {
    const { alice: a } = pair({ handle: () => Promise.reject(new TestError('not today')) });
    try {
      await a.session.request(1, bytes(''), interactive);
      expect.fail('it was answered');
    } catch (error) {
      expect(error).to.include({
        code: 'net.peer',
        peerCode: 'test.refused',
        message: 'not today',
      });
    }
  });

  it('ends a request at its deadline, on both sides', async () => {
    const clock = new ManualClock();
    const signals: AbortSignal[] = [];
    const { alice: a } = pair({
      clock,
      handle: ({ signal }) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
    });
    const request = codeOf(a.session.request(1, bytes(''), interactive));
    await settled();
    expect(signals[0]?.aborted).to.equal(false);
    clock.advance(1_000);
    await settled();
    expect(await request).to.equal('net.deadline');
    expect(signals[0]?.aborted).to.equal(true);
  });

  it('passes a cancellation on', async () => {
    const signals: AbortSignal[] = [];
    const { alice: a } = pair({
      handle: ({ signal }) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
    });
    const controller = new AbortController();
    const request = codeOf(
      a.session.request(1, bytes(''), { ...interactive, signal: controller.signal }),
    );
    await settled();
    controller.abort(new TestError('enough'));
    expect(await request).to.equal('test.refused');
    await settled();
    expect(signals[0]?.aborted).to.equal(true);
  });

  it('sends what is urgent before what has waited longer', async () => {
    const order: number[] = [];
    const { alice: a } = pair({
      handle: async ({ type, payload }) => {
        order.push(type);
        return payload;
      },
    });
    await settled();
    a.pipe.isSlow = true;
    const requests = (['bulk', 'bulk', 'interactive', 'consensus'] as const).map((priority, at) =>
      a.session.request(at, bytes(''), { priority, deadlineMs: 1_000 }),
    );
    a.pipe.release();
    a.session.drained();
    await Promise.all(requests);
    // The first one was on its way already.
    expect(order).to.deep.equal([0, 3, 2, 1]);
  });

  it('refuses what does not fit, without touching other priorities', async () => {
    const { alice: a } = pair();
    await settled();
    a.pipe.isSlow = true;
    const bulk = { priority: 'bulk', deadlineMs: 1_000 } as const;
    const first = a.session.request(1, new Uint8Array(6_000), bulk);
    const second = a.session.request(1, new Uint8Array(6_000), bulk);
    expect(await codeOf(a.session.request(1, new Uint8Array(6_000), bulk))).to.equal(
      'net.overloaded',
    );
    const urgent = a.session.request(1, bytes('x'), { priority: 'consensus', deadlineMs: 1_000 });
    a.pipe.release();
    a.session.drained();
    await Promise.all([first, second, urgent]);
  });

  it('carries large messages in parts, both ways, and lets small ones pass', async () => {
    const order: number[] = [];
    const { alice: a } = pair({
      handle: async ({ type, payload }) => {
        order.push(type);
        return payload;
      },
    });
    await settled();
    const sizes = [partBytes + 1, frameBytesMax, 3 * frameBytesMax + 7];
    const large = sizes.map((size) => new Uint8Array(size).map((_, at) => (at * size) % 251));
    a.pipe.isSlow = true;
    const asked = large.map((payload) => a.session.request(1, payload, interactive));
    const small = a.session.request(2, bytes('small'), interactive);
    a.pipe.release();
    a.session.drained();
    expect(text(await small)).to.equal('small');
    const answers = await Promise.all(asked);
    for (const [at, answer] of answers.entries())
      expect(Buffer.compare(answer, large[at] as Uint8Array), `${at}`).to.equal(0);
    expect(order[0]).to.equal(2);
  });

  it('refuses a message above the bound, and holds no more of incomplete ones', async () => {
    const { alice: a, bob: b } = pair();
    const tooLarge = a.session.request(1, new Uint8Array(messageBytesMax + 1), interactive);
    expect(await codeOf(tooLarge)).to.equal('net.too_large');
    await settled();
    // A peer that keeps to no bound: parts without an end.
    const failures: string[] = [];
    a.pipe.other = undefined;
    b.pipe.other = {
      received: (chunk: Uint8Array) => {
        for (const frame of new FrameReader().push(chunk))
          if (frame.kind === 'failure') failures.push(`${frame.id} ${frame.code}`);
      },
      lost: () => undefined,
    } as unknown as Session;
    const part = new Uint8Array(frameBytesMax / 2);
    const open = { kind: 'open', id: 7, type: 1, priority: 'bulk', deadlineMs: 9, payload: part };
    b.session.received(encodeFrame(open as Frame));
    for (let sent = 0; sent <= messageBytesMax; sent += part.byteLength)
      b.session.received(encodeFrame({ kind: 'part', id: 7, isLast: false, payload: part }));
    await settled();
    expect(failures).to.deep.equal(['7 net.too_large']);
    expect(b.session.isOpen).to.equal(true);
  });

  it('forgets a large request that is cancelled before its end', async () => {
    const { alice: a } = pair();
    await settled();
    a.pipe.isSlow = true;
    const controller = new AbortController();
    const options = { ...interactive, signal: controller.signal };
    const asked = codeOf(a.session.request(1, new Uint8Array(frameBytesMax), options));
    controller.abort(new TestError('enough'));
    expect(await asked).to.equal('test.refused');
    a.pipe.release();
    a.session.drained();
    const full = Array.from({ length: 4 }, () => a.session.request(1, bytes('x'), interactive));
    expect((await Promise.all(full)).length).to.equal(4);
  });

  it('says what needs no answer, as far as there is room', async () => {
    const said: string[] = [];
    const { alice: a } = pair({
      bob: { noticed: (type, payload) => void said.push(`${type} ${text(payload)}`) },
    });
    await settled();
    expect(a.session.notify(3, bytes('one'), 'consensus')).to.equal(true);
    await settled();
    expect(said).to.deep.equal(['3 one']);
    a.pipe.isSlow = true;
    const taken = [1, 2, 3].map(() => a.session.notify(3, new Uint8Array(6_000), 'consensus'));
    expect(taken).to.deep.equal([true, true, false]);
  });

  it('works on a bounded number of requests of a peer', async () => {
    const { alice: a } = pair({ handle: () => new Promise(() => undefined) });
    const requests = Array.from({ length: 5 }, () => a.session.request(1, bytes(''), interactive));
    const last = requests.at(-1) as Promise<Uint8Array>;
    try {
      await last;
      expect.fail('it was answered');
    } catch (error) {
      expect(error).to.include({ peerCode: 'net.overloaded' });
    }
    a.session.lost();
    for (const request of requests.slice(0, 4)) {
      expect(await codeOf(request)).to.equal('net.connection_lost');
    }
  });

  it('ends every request when the connection ends, and takes no more', async () => {
    const { alice: a, bob: b } = pair({ handle: () => new Promise(() => undefined) });
    const request = codeOf(a.session.request(1, bytes(''), interactive));
    await settled();
    b.session.close(new TestError('going down'));
    expect(await request).to.equal('net.connection_lost');
    expect(reasonOf(a)).to.contain('going down');
    expect(await codeOf(a.session.request(1, bytes(''), interactive))).to.equal(
      'net.session_refused',
    );
    expect([a.reasons.length, b.reasons.length]).to.deep.equal([1, 1]);
  });
});

describe('a session is refused, with the reason on both sides,', () => {
  const other = '99999999-2222-4333-8444-555555555555';
  const refusals: Readonly<Record<string, [Parameters<typeof pair>[0], RegExp]>> = {
    'to another cluster': [{ bob: { own: { ...bob, clusterId: other } } }, /belongs to cluster/],
    'to a node that its certificate does not name': [
      { bob: { own: { clusterId, nodeId: other } } },
      /its certificate says/,
    ],
  };
  for (const [about, [options, reason]] of Object.entries(refusals)) {
    it(about, async () => {
      const sides = pair(options);
      await settled();
      expect(reasonOf(sides.alice)).to.match(reason);
      expect(sides.bob.session.isOpen).to.equal(false);
    });
  }

  it('to a peer of a version that is not spoken here', async () => {
    const { alice: a } = pair();
    const hello = { kind: 'hello', versionMin: 4, versionMax: 9, ...bob } as const;
    a.session.received(encodeFrame(hello));
    await settled();
    expect(reasonOf(a)).to.match(/speaks versions 4 to 9/);
  });

  it('to a peer that does not begin with its name, or that speaks something else', async () => {
    for (const first of [
      encodeFrame({ kind: 'ping', nonce: 1 }),
      bytes('GET / HTTP/1.1\r\n\r\n'),
      new Uint8Array(64).fill(0xff),
    ]) {
      const { alice: a } = pair();
      a.session.received(first);
      await settled();
      expect(a.session.isOpen).to.equal(false);
    }
  });
});
