import { expect } from 'chai';
import * as fc from 'fast-check';
import { PhotonError } from '../common/errors.ts';
import { decodeFrame, encodeFrame, frameBytesMax, FrameReader, priorities } from './frame.ts';
import type { Frame } from './frame.ts';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const payload = fc.uint8Array({ maxLength: 300 });
const shortText = fc.string({ maxLength: 40 });

const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    kind: fc.constant('hello' as const),
    versionMin: u16,
    versionMax: u16,
    clusterId: shortText,
    nodeId: shortText,
  }),
  fc.record({
    kind: fc.constantFrom('request' as const, 'open' as const),
    id: u32,
    type: u16,
    priority: fc.constantFrom(...priorities),
    deadlineMs: u32,
    payload,
  }),
  fc.record({ kind: fc.constantFrom('response' as const, 'item' as const), id: u32, payload }),
  fc.record({ kind: fc.constantFrom('end' as const, 'cancel' as const), id: u32 }),
  fc.record({
    kind: fc.constant('failure' as const),
    id: u32,
    code: shortText,
    message: shortText,
  }),
  fc.record({ kind: fc.constant('credit' as const), id: u32, bytes: u32 }),
  fc.record({ kind: fc.constantFrom('ping' as const, 'pong' as const), nonce: u32 }),
  fc.record({ kind: fc.constant('part' as const), id: u32, isLast: fc.boolean(), payload }),
  fc.record({ kind: fc.constant('notice' as const), type: u16, payload }),
  fc.record({ kind: fc.constant('bye' as const), code: shortText, message: shortText }),
);

const plain = (frame: Frame): unknown =>
  'payload' in frame ? { ...frame, payload: [...frame.payload] } : { ...frame };

describe('frames between nodes', () => {
  it('are read as they were written, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 6 }),
        fc.integer({ min: 1, max: 50 }),
        (sent, cut) => {
          const bytes = Buffer.concat(sent.map(encodeFrame));
          const reader = new FrameReader();
          const received: Frame[] = [];
          for (let at = 0; at < bytes.byteLength; at += cut) {
            received.push(...reader.push(new Uint8Array(bytes.subarray(at, at + cut))));
          }
          expect(received.map(plain)).to.deep.equal(sent.map(plain));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('that are damaged are refused with a typed error, or are other frames; nothing else happens', () => {
    fc.assert(
      fc.property(anyFrame, fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, at, flip) => {
        const bytes = encodeFrame(frame).slice(4);
        bytes[at % bytes.byteLength] = (bytes[at % bytes.byteLength] ?? 0) ^ flip;
        try {
          decodeFrame(bytes);
        } catch (error) {
          expect(error).to.be.instanceOf(PhotonError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('made of arbitrary bytes never end a reader in another way', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect([...new FrameReader().push(bytes)]).to.be.an('array');
        } catch (error) {
          expect((error as PhotonError).code).to.equal('wire.frame');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are refused by their announced length, before it is waited for', () => {
    const announced = new Uint8Array(4);
    new DataView(announced.buffer).setUint32(0, frameBytesMax + 1, true);
    expect(() => [...new FrameReader().push(announced)]).to.throw(/announces a frame of/);
    expect(() => [...new FrameReader().push(new Uint8Array(4))]).to.throw(/announces a frame of 0/);
  });

  it('of something that is no node are detected at the first one', () => {
    const http = new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n');
    expect(() => [...new FrameReader().push(http)]).to.throw(/announces a frame of/);
  });
});
