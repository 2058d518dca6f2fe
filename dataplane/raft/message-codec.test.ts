import { expect } from 'chai';
import * as fc from 'fast-check';
import { TruncatedError } from '../common/byte-reader.ts';
import { decodeMessages, encodeMessages, RaftMessageError } from './message-codec.ts';
import type { Entry } from './entry.ts';
import type { GroupMessage } from './message-codec.ts';
import type { MessageBody } from './message.ts';

const number = fc.maxSafeNat();
const id = fc.string({ minLength: 1, maxLength: 40 });
const ids = fc.array(id, { maxLength: 5 });
const configuration = fc.record({ voters: ids, outgoing: ids, learners: ids });
const snapshot = fc.record({ index: number, term: number, configuration });
const payload = fc.uint8Array({ maxLength: 50 });

type Unplaced = { readonly term: number } & (
  | { readonly kind: 'command'; readonly payload: Uint8Array }
  | { readonly kind: 'empty' }
  | {
      readonly kind: 'configuration';
      readonly configuration: { voters: string[]; outgoing: string[]; learners: string[] };
    }
);
const entry: fc.Arbitrary<Unplaced> = fc.oneof(
  fc.record({ kind: fc.constant('command' as const), term: number, payload }),
  fc.record({ kind: fc.constant('empty' as const), term: number }),
  fc.record({ kind: fc.constant('configuration' as const), term: number, configuration }),
);

const append = fc
  .record({
    previousIndex: fc.nat(1_000_000),
    previousTerm: number,
    committed: number,
    found: fc.array(entry, { maxLength: 6 }),
  })
  .map(({ previousIndex, found, ...rest }): MessageBody => {
    const entries = found.map((each, at): Entry => ({ ...each, index: previousIndex + 1 + at }));
    return { type: 'append', previousIndex, ...rest, entries };
  });

const body: fc.Arbitrary<MessageBody> = fc.oneof(
  append,
  fc.record({
    type: fc.constantFrom('preVote' as const, 'vote' as const),
    lastIndex: number,
    lastTerm: number,
    isTransfer: fc.boolean(),
  }),
  fc.record({
    type: fc.constantFrom('preVoteReply' as const, 'voteReply' as const),
    isGranted: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('appendReply' as const),
    isRejected: fc.boolean(),
    index: number,
    hintIndex: number,
    hintTerm: number,
  }),
  fc.record({
    type: fc.constant('heartbeat' as const),
    round: number,
    committed: number,
    isLast: fc.boolean(),
  }),
  fc.record({ type: fc.constant('heartbeatReply' as const), round: number }),
  fc.record({ type: fc.constant('snapshot' as const), snapshot }),
  fc.constant({ type: 'timeoutNow' as const }),
);

const ends = { from: 'a', to: 'b' };
const message: fc.Arbitrary<GroupMessage> = fc
  .record({ group: fc.nat(0xffff_ffff), term: number, body })
  .map(({ group, term, body: each }) => ({ group, message: { ...each, ...ends, term } }));

/** Payloads as lists of numbers. */
const plain = (messages: readonly GroupMessage[]): unknown =>
  JSON.parse(
    JSON.stringify(messages, (key, value: unknown) => {
      if (key !== 'payload') return value;
      return value instanceof Uint8Array ? [...value] : (value as { data: unknown }).data;
    }),
  );

describe('messages of groups as bytes', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
        const read = decodeMessages(encodeMessages(messages), ends);
        expect(plain(read)).to.deep.equal(plain(messages));
      }),
    );
  });

  it('are refused by type when they are cut, flipped or invented', () => {
    const refused = (bytes: Uint8Array): void => {
      try {
        decodeMessages(bytes, ends);
      } catch (error) {
        const isTyped = error instanceof RaftMessageError || error instanceof TruncatedError;
        if (!isTyped) throw error;
      }
    };
    const hurt = fc.record({
      messages: fc.array(message, { maxLength: 4 }),
      at: fc.nat(),
      bit: fc.nat(7),
    });
    fc.assert(
      fc.property(hurt, ({ messages, at, bit }) => {
        const bytes = encodeMessages(messages);
        const place = at % bytes.byteLength;
        if (messages.length > 0 && place > 0) {
          const cut = bytes.subarray(0, place);
          refused(cut);
        }
        const flipped = Uint8Array.from(bytes);
        flipped[place] = (flipped[place] ?? 0) ^ (1 << bit);
        refused(flipped);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), refused));
  });

  it('allocate nothing for entries and members that they only announce', () => {
    const many = encodeMessages([
      {
        group: 1,
        message: {
          type: 'append',
          previousIndex: 1,
          previousTerm: 1,
          committed: 1,
          entries: [],
          term: 1,
          ...ends,
        },
      },
    ]);
    new DataView(many.buffer, many.byteOffset).setUint32(many.byteLength - 4, 0xffff_ffff, true);
    expect(() => decodeMessages(many, ends)).to.throw(RaftMessageError, '4294967295 entries');
    expect(() => decodeMessages(Uint8Array.of(9), ends)).to.throw(RaftMessageError, 'format 9');
  });
});
