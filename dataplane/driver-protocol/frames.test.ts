import { expect } from 'chai';
import * as fc from 'fast-check';
import { encodeFrame, FrameReader } from './frames.ts';
import type { FrameEvent } from './frames.ts';
import { Handshake } from './handshake.ts';
import type { HandshakeStep } from './handshake.ts';
import { frame, magics, u32 } from './testing/port.ts';

const queryBytesMax = 40;

/** Cuts bytes at any places. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...places, bytes.length].map((end, at) => bytes.subarray(places[at - 1] ?? 0, end));
}

const anyCuts = fc.array(fc.nat(), { maxLength: 30 });

function framesOf(parts: readonly Buffer[], bytesMax = queryBytesMax): FrameEvent[] {
  const reader = new FrameReader(bytesMax);
  const events: FrameEvent[] = [];
  for (const part of parts) {
    reader.push(part);
    for (let event = reader.next(); event !== undefined; event = reader.next()) {
      events.push(event);
      if (event.type === 'end') return events;
    }
  }
  return events;
}

const gate = { waitMs: () => 0, settle: () => 0 };
const credentials = {
  verifier: () => ({ salt: 'c2FsdA==', iterations: 1, known: true }),
  check: (_user: string, _message: string, proof: string) =>
    proof === 'ok' ? 'signed' : undefined,
  checkKey: async (key: string) => (key === 'key' ? ('right' as const) : ('wrong' as const)),
  nonce: () => 'S',
};

/** What the server says, who got in, and what is left over. */
async function shaken(parts: readonly Buffer[]): Promise<string[]> {
  const handshake = new Handshake({ credentials, gate });
  const said: string[] = [];
  let over = false;
  for (const part of parts) {
    handshake.push(part);
    while (!over) {
      const step: HandshakeStep = await handshake.step();
      if (step.type === 'more') break;
      said.push(`${step.type} ${step.bytes.toString()}`);
      over = step.type === 'refused' || step.type === 'done';
      if (step.type === 'done') said.push(step.session.user);
    }
  }
  return said[said.length - 1] === 'admin' || said[said.length - 1] === 'ann'
    ? [...said, handshake.rest.toString('hex')]
    : said;
}

const v10 = (final: string): Buffer =>
  Buffer.concat([
    u32(magics.v10),
    Buffer.from(
      `{"protocol_version":0,"authentication_method":"SCRAM-SHA-256","authentication":"n,,n=ann,r=C"}\0`,
    ),
    Buffer.from(`{"authentication":"${final}"}\0`),
    frame('[1,1]', 3),
  ]);

const v04 = (key: string): Buffer =>
  Buffer.concat([
    u32(magics.v04, key.length),
    Buffer.from(key),
    u32(0x7e6970c7),
    frame('[1,1]', 3),
  ]);

describe('frames', () => {
  it('come out the same however the bytes are cut', () => {
    const anyFrames = fc.array(fc.tuple(fc.string({ maxLength: 8, unit: 'grapheme' }), fc.nat()), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(anyFrames, fc.boolean(), anyCuts, (frames, isEndless, cuts) => {
        const short = frames.filter(([text]) => Buffer.byteLength(text) <= queryBytesMax);
        const wire = [
          ...short.map(([text, token]) => frame(text, token)),
          ...(isEndless ? [frame('x'.repeat(queryBytesMax + 1), 9), frame('late', 1)] : []),
        ];
        const whole: FrameEvent[] = [
          ...short.map(([text, token]) => ({ type: 'query' as const, token: BigInt(token), text })),
          ...(isEndless
            ? [
                { type: 'oversized' as const, token: 9n, length: queryBytesMax + 1 },
                { type: 'end' as const },
              ]
            : []),
        ];
        expect(framesOf(pieces(Buffer.concat(wire), cuts))).to.deep.equal(whole);
      }),
    );
  });

  it('are read back as they were written', () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, 2n ** 64n - 1n),
        fc.string({ unit: 'grapheme', maxLength: 9 }),
        (token, text) => {
          expect(framesOf([encodeFrame(token, text)], 4_096)).to.deep.equal([
            { type: 'query', token, text },
          ]);
        },
      ),
    );
  });

  it('take any bytes without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), anyCuts, (bytes, cuts) => {
        const events = framesOf(pieces(Buffer.from(bytes), cuts));
        expect(events).to.deep.equal(framesOf([Buffer.from(bytes)]));
      }),
    );
  });

  it('know what is too long, and that a negative length is', () => {
    for (const length of [queryBytesMax + 1, 0x8000_0000, 0xffff_ffff]) {
      const wire = Buffer.concat([Buffer.alloc(8), u32(length)]);
      expect(framesOf([wire])).to.deep.equal([{ type: 'oversized', token: 0n, length }]);
    }
  });

  it('have no text when their bytes are no UTF-8', () => {
    const wire = Buffer.concat([Buffer.alloc(8), u32(2), Buffer.from([0xc3, 0x28])]);
    expect(framesOf([wire])).to.deep.equal([{ type: 'query', token: 0n, text: undefined }]);
  });

  it('that have begun are known to have begun', () => {
    const reader = new FrameReader(queryBytesMax);
    const wire = frame('[1]', 1);
    expect(reader.isPartial).to.equal(false);
    reader.push(wire.subarray(0, wire.length - 1));
    expect([reader.next(), reader.isPartial]).to.deep.equal([undefined, true]);
    reader.push(wire.subarray(wire.length - 1));
    expect([reader.next()?.type, reader.isPartial]).to.deep.equal(['query', false]);
    expect(reader.received).to.equal(wire.length);
  });
});

describe('the bytes of a handshake', () => {
  for (const [about, wire] of [
    ['a login', v10('c=biws,r=CS,p=ok')],
    ['a wrong password', v10('c=biws,r=CS,p=no')],
    ['a key', v04('key')],
    ['a wrong key', v04('other')],
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a message without an end', Buffer.concat([u32(magics.v10), Buffer.alloc(3_000, 'x')])],
  ] as const) {
    it(`give the same answers however they are cut: ${about}`, async () => {
      const whole = await shaken([wire]);
      expect(whole.length).to.be.greaterThan(0);
      await fc.assert(
        fc.asyncProperty(anyCuts, async (cuts) => {
          expect(await shaken(pieces(wire, cuts))).to.deep.equal(whole);
        }),
      );
    });
  }
});
