import { expect } from 'chai';
import * as fc from 'fast-check';
import { ChannelFrameReader, encodeChannelFrame } from '../../workers/channel-frame.ts';
import { ChannelFrameError } from '../../workers/errors.ts';
import { damagedVersion } from '../../wire/table-edit.ts';
import type { Change, EditBatch, TermFunction } from '../../wire/table-edit.ts';
import { decodeEdits, encodeEdits } from './edit-message.ts';
import { Fields } from './fields.ts';

/** As it comes out of the channel. */
function sent(body: unknown): unknown {
  const bytes = encodeChannelFrame({ kind: 'request', id: 1, body });
  const [frame] = [...new ChannelFrameReader(1_000_000).push(bytes)];
  return frame?.body;
}

const text = fc.string({ maxLength: 10 });
const value = fc.record({ text });
const term: fc.Arbitrary<TermFunction> = fc.record({
  term: text,
  captured: fc.array(fc.record({ variable: fc.nat(), value, isSelection: fc.boolean() }), {
    maxLength: 2,
  }),
});
const document = fc.record({ text, isChecked: fc.boolean() });
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    type: fc.constant('insert' as const),
    document,
    isKeyGenerated: fc.boolean(),
    conflict: fc.oneof(
      fc.constantFrom('error' as const, 'replace' as const, 'update' as const),
      term,
    ),
  }),
  fc.record({
    type: fc.constantFrom('update' as const, 'replace' as const),
    by: fc.oneof(value, term),
  }),
  fc.constant({ type: 'delete' as const }),
  fc.record({ type: fc.constant('expire' as const), field: text, nowMs: fc.nat() }),
  fc.record({ type: fc.constant('fetch' as const), replacesDamage: fc.boolean() }),
  fc.record({
    type: fc.constant('compareAndSet' as const),
    expected: fc.record({ version: fc.constantFrom(0, 7, damagedVersion), generation: fc.nat() }),
    document: fc.oneof(document, fc.constantFrom(null, undefined)),
  }),
);
const batch: fc.Arbitrary<EditBatch> = fc
  .record({
    changes: fc.array(change, { minLength: 1, maxLength: 3 }),
    keys: fc.array(fc.tuple(fc.uint8Array({ maxLength: 9 }), fc.nat(2)), { maxLength: 6 }),
    durability: fc.constantFrom('hard' as const, 'soft' as const),
    context: fc.record({
      nowMs: fc.double({ noNaN: true, min: 0, max: 1e15 }),
      arrayLimit: fc.nat(),
    }),
    hook: fc.option(term, { nil: undefined }),
    documents: fc.constantFrom('none' as const, 'changed' as const, 'all' as const),
  })
  .map(({ changes, keys, ...rest }) => ({
    ...rest,
    edits: keys.map(([key, at]) => ({
      key: Buffer.from(key),
      change: changes[at % changes.length] as Change,
    })),
  }));

describe('edits between query worker and core', () => {
  it('come as they were sent', () => {
    fc.assert(
      fc.property(batch, (given) => {
        expect(decodeEdits(new Fields(sent(encodeEdits(given))))).to.deep.equal(given);
      }),
      { numRuns: 300 },
    );
  });

  it('carry a change that many of them share once', () => {
    const shared: Change = { type: 'update', by: { text: 'x'.repeat(10_000) } };
    const edits = Array.from({ length: 100 }, (_, at) => ({
      key: Buffer.from([at]),
      change: shared,
    }));
    const given: EditBatch = {
      edits,
      durability: 'hard',
      context: { nowMs: 0, arrayLimit: 1 },
      hook: undefined,
      documents: 'none',
    };
    const frame = encodeChannelFrame({ kind: 'request', id: 1, body: encodeEdits(given) });
    expect(frame.length).to.be.lessThan(12_000);
    const [first, second] = decodeEdits(new Fields(sent(encodeEdits(given)))).edits;
    expect(first?.change).to.equal(second?.change);
  });

  it('of another shape are refused, and nothing else happens', () => {
    const anything = fc.anything({ maxDepth: 3 });
    fc.assert(
      fc.property(batch, fc.nat(7), anything, (given, at, junk) => {
        const body = encodeEdits(given);
        body[at] = junk;
        try {
          decodeEdits(new Fields(body));
        } catch (error) {
          expect(error).to.be.instanceOf(ChannelFrameError);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
