import { expect } from 'chai';
import * as fc from 'fast-check';
import { codecLimits, decodeMessage, encodeMessage, GossipMessageError } from './codec.ts';
import { updateBytes } from './member.ts';
import type { Update } from './member.ts';
import type { Message } from './message.ts';
import type { Delta, Digest } from './versioned-state.ts';

const id = fc.oneof(fc.uuid(), fc.constantFrom('a', 'b'));
const number = fc.nat(2 ** 31);
const update: fc.Arbitrary<Update> = fc.record({
  id,
  address: fc.constantFrom('10.0.0.1:29015', '[::1]:1', 'db-0.nodes.default.svc:29015'),
  incarnation: fc.maxSafeNat(),
  status: fc.constantFrom('alive', 'suspect', 'dead', 'left'),
  accuser: fc.option(id, { nil: undefined }),
});
const updates = fc.array(update, { maxLength: 8 });
const digest: fc.Arbitrary<Digest> = fc.record({
  versions: fc
    .array(fc.tuple(id, fc.record({ generation: number, version: number })), { maxLength: 5 })
    .map((entries) => new Map(entries)),
  members: updates,
});
const delta: fc.Arbitrary<Delta> = fc.record({
  states: fc.array(
    fc.record({
      id,
      generation: number,
      from: number,
      version: number,
      entries: fc.array(
        fc.record({ key: fc.string({ maxLength: 16 }), value: fc.string(), version: number }),
        { maxLength: 4 },
      ),
      signature: fc.uint8Array({ maxLength: codecLimits.signatureBytes }),
    }),
    { maxLength: 4 },
  ),
  members: updates,
});
const envelope = { from: id, to: id, updates };
const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: fc.constantFrom('ping' as const, 'ack' as const, 'nack' as const),
    sequence: number,
    ...envelope,
  }),
  fc.record({
    type: fc.constant('pingRequest' as const),
    sequence: number,
    target: id,
    ...envelope,
  }),
  fc.record({ type: fc.constant('gossip' as const), ...envelope }),
  fc.record({
    type: fc.constant('summary' as const),
    members: fc.maxSafeNat(),
    states: fc.maxSafeNat(),
    ...envelope,
  }),
  fc.record({ type: fc.constant('syncRequest' as const), digest, ...envelope }),
  fc.record({ type: fc.constant('syncReply' as const), digest, delta, ...envelope }),
  fc.record({ type: fc.constant('syncDelta' as const), delta, ...envelope }),
);

/** As text whose fields have one order. */
const plain = (message: Message): string => {
  const sorted = (value: unknown): unknown => {
    if (value instanceof Map) return [...value].map(sorted);
    if (Array.isArray(value)) return value.map(sorted);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
    return entries.map(([key, each]) => [key, sorted(each)]);
  };
  return JSON.stringify(sorted(message));
};

const ends = { from: 'a', to: 'b' };

const outcomeOf = (bytes: Uint8Array): string => {
  try {
    decodeMessage(bytes, ends);
    return 'a message';
  } catch (error) {
    expect(error).to.be.instanceOf(GossipMessageError);
    return 'refused';
  }
};

describe('messages of the membership protocol as bytes', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(plain(decodeMessage(encodeMessage(message), message))).to.equal(plain(message));
      }),
      { numRuns: 300 },
    );
  });

  it('take no more room for news than the protocol reckons with', () => {
    fc.assert(
      fc.property(updates, (news) => {
        const size = (each: readonly Update[]): number =>
          encodeMessage({ type: 'gossip', from: 'a', to: 'b', updates: each }).byteLength;
        const most = news.reduce((sum, each) => sum + updateBytes(each), 0);
        expect(size(news) - size([])).to.be.at.most(most);
      }),
    );
  });

  it('are refused with a typed error when they are cut or longer', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), (message, cut) => {
        const bytes = encodeMessage(message);
        expect(outcomeOf(bytes.subarray(0, cut % bytes.byteLength))).to.equal('refused');
        expect(outcomeOf(Buffer.concat([bytes, Buffer.of(0)]))).to.equal('refused');
      }),
      { numRuns: 300 },
    );
  });

  it('that are damaged or arbitrary are refused, or are other messages; nothing else happens', () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, at, flip) => {
        const bytes = encodeMessage(message);
        bytes[at % bytes.byteLength] = (bytes[at % bytes.byteLength] ?? 0) ^ flip;
        outcomeOf(bytes);
      }),
      { numRuns: 1_000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void outcomeOf(bytes)),
      {
        numRuns: 1_000,
      },
    );
  });

  it('are refused by what they claim, before it is made', () => {
    const empty = encodeMessage({ type: 'gossip', from: 'a', to: 'b', updates: [] });
    const claiming = Buffer.from(empty);
    claiming.writeUInt16LE(0xffff, claiming.byteLength - 2);
    expect(() => decodeMessage(claiming, ends)).to.throw(/claims 65535 items/);
    const one: Update = { id: 'c', address: 'c:1', incarnation: 1, status: 'alive', accuser: 'a' };
    const long = Buffer.from(encodeMessage({ type: 'gossip', ...ends, updates: [one] }));
    // The length of the ID, behind the format, the type and the count.
    long.writeUInt8(codecLimits.idBytes + 1, 4);
    expect(() => decodeMessage(long, ends)).to.throw(/claims 65 bytes/);
  });

  it('are not written with what nobody would read', () => {
    const message: Message = {
      type: 'pingRequest',
      ...ends,
      updates: [],
      sequence: 1,
      target: 'x'.repeat(65),
    };
    expect(() => encodeMessage(message)).to.throw(GossipMessageError);
  });
});
