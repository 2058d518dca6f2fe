import { expect } from 'chai';
import { PhotonError } from '../common/errors.ts';
import { Prng } from '../common/prng.ts';
import type { Timer } from '../common/clock.ts';
import { ManualClock } from '../wal/testing/manual-clock.ts';
import { encodeFrame, priorities } from '../wire/frame.ts';
import type { Frame } from '../wire/frame.ts';
import { Session } from './session.ts';
import { alice, bob, settled } from './testing/pair.ts';

/**
 * Frames of a member that has turned, each of them changed: what ends a session ends it with a typed error, and what
 * does not is answered or ignored.
 */
const framesMax = 20_000;
const seed = 23;

class SpiedClock extends ManualClock {
  readonly #timerMs: number[];

  constructor(timerMs: number[]) {
    super();
    this.#timerMs = timerMs;
  }

  override timer(ms: number, run: () => void): Timer {
    this.#timerMs.push(ms);
    return super.timer(ms, run);
  }
}

class Attacked {
  readonly clock: ManualClock;
  readonly reasons: Error[] = [];
  written = 0;
  handled = 0;
  readonly session: Session;

  constructor(timerMs: number[]) {
    this.clock = new SpiedClock(timerMs);
    this.session = new Session({
      own: alice,
      expected: bob,
      pipe: {
        write: ({ byteLength }) => {
          this.written += byteLength;
          return true;
        },
        close: () => undefined,
      },
      clock: this.clock,
      queueBytesMax: { consensus: 10_000, interactive: 10_000, bulk: 10_000 },
      incomingMax: 8,
      handshakeMs: 1_000,
      handle: async ({ payload }) => {
        this.handled += 1;
        return payload;
      },
      noticed: () => undefined,
      ended: (reason) => this.reasons.push(reason),
    });
    this.session.received(encodeFrame({ kind: 'hello', versionMin: 3, versionMax: 3, ...bob }));
  }
}

/** A frame of each kind, with fields within and beyond what is right. */
function frameOf(random: Prng): Frame {
  const id = random.below(16);
  const payload = random.bytes(random.below(200));
  const priority = random.pick(priorities);
  // 0 is over when it arrives.
  const deadlineMs = random.pick([0, 1, 1_000, 0xff_ff_ff_ff]);
  const request = { id, type: random.below(0x1_00_00), priority, deadlineMs, payload };
  return random.pick<Frame>([
    { kind: 'request', ...request },
    { kind: 'open', ...request },
    { kind: 'part', id, isLast: random.below(2) === 0, payload },
    { kind: 'response', id, payload },
    { kind: 'item', id, payload },
    { kind: 'failure', id, code: 'test.code', message: 'no' },
    { kind: 'cancel', id },
    { kind: 'end', id },
    { kind: 'ping', nonce: id },
    { kind: 'notice', type: id, payload },
    { kind: 'hello', versionMin: 1, versionMax: 9, ...bob },
  ]);
}

/** The bytes of a frame, changed in one way or not at all. */
function changed(random: Prng, frame: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(frame);
  const view = new DataView(bytes.buffer);
  switch (random.below(7)) {
    case 0:
      // Truncated: what follows is read as its rest.
      return bytes.subarray(0, random.below(bytes.byteLength));
    case 1: {
      const bit = random.below(bytes.byteLength * 8);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return bytes;
    }
    case 2:
      view.setUint32(0, random.pick([0, 1, 0x7f_ff_ff_ff, 0xff_ff_ff_ff]), true);
      return bytes;
    case 3:
      // An unknown kind.
      bytes[4] = random.below(256);
      return bytes;
    case 4:
      // Repeated.
      return Buffer.concat([bytes, bytes]);
    case 5:
      // Every field may be too large.
      for (let at = 5; at < Math.min(bytes.byteLength, 20); at += 1) bytes[at] = 255;
      return bytes;
    default:
      return bytes;
  }
}

describe('a session with a member that sends changed frames', function fuzzed() {
  this.timeout(60_000);

  it(`ends with a typed error, or continues, for ${framesMax} of them`, async () => {
    const random = new Prng(seed);
    const timerMs: number[] = [];
    let [attacked, sessions, handled] = [new Attacked(timerMs), 1, 0];
    for (let count = 0; count < framesMax; count += 1) {
      attacked.session.received(changed(random, encodeFrame(frameOf(random))));
      if (count % 100 === 0) await settled();
      if (attacked.session.isOpen && count % 50 !== 0) continue;
      attacked.session.lost();
      expect(attacked.reasons).to.have.lengthOf(1);
      expect(attacked.reasons[0], attacked.reasons[0]?.message).to.be.instanceOf(PhotonError);
      await settled();
      handled += attacked.handled;
      [attacked, sessions] = [new Attacked(timerMs), sessions + 1];
    }
    expect(sessions).to.be.greaterThan(framesMax / 50);
    expect(handled).to.be.greaterThan(100);
    // A timer that is set to more than 2^31 ms ends at once.
    expect(timerMs.reduce((most, ms) => Math.max(most, ms), 0)).to.equal(86_400_000);
  });
});
