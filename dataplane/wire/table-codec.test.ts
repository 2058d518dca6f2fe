import { expect } from 'chai';
import * as fc from 'fast-check';
import { PhotonError } from '../common/errors.ts';
import type { Change, EditBatch, EditOutcome } from './table-edit.ts';
import { editResults } from './table-edit.ts';
import { foldTypes, rowTerms } from './pushed-scan.ts';
import type { PushedScan, ScanStep } from './pushed-scan.ts';
import {
  decodeTableAnswer,
  decodeTableRequest,
  encodeTableAnswer,
  encodeTableRequest,
  tableMessageBytesMax,
} from './table-codec.ts';
import type { TableAnswer, TableMessageKind, TableRequest } from './table-messages.ts';

const count = fc.maxSafeNat();
const text = fc.string({ unit: 'grapheme', maxLength: 30 });
const bytes = fc.uint8Array({ maxLength: 30 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const document = fc.record({ text, isChecked: fc.boolean() });
const aFunction = fc.record({
  term: text,
  captured: fc.array(
    fc.record({
      variable: fc.integer(),
      value: fc.record({ text }),
      isSelection: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
});
const basis = fc.record({ version: count, generation: count });

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    type: fc.constant('insert' as const),
    document,
    isKeyGenerated: fc.boolean(),
    conflict: fc.oneof(
      fc.constantFrom('error' as const, 'replace' as const, 'update' as const),
      aFunction,
    ),
  }),
  fc.record({
    type: fc.constantFrom('update' as const, 'replace' as const),
    by: fc.oneof(fc.record({ text }), aFunction),
  }),
  fc.record({ type: fc.constant('delete' as const) }),
  fc.record({
    type: fc.constant('expire' as const),
    field: text,
    nowMs: fc.double({ noNaN: true }),
  }),
  fc.record({
    type: fc.constant('fetch' as const),
    replacesDamage: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('compareAndSet' as const),
    expected: basis,
    document: fc.oneof(document, fc.constant(null), fc.constant(undefined)),
  }),
);

const batch: fc.Arbitrary<EditBatch> = fc
  .record({
    changes: fc.array(change, { minLength: 1, maxLength: 3 }),
    picks: fc.array(fc.record({ key: bytes, pick: fc.nat() }), {
      maxLength: 6,
    }),
    durability: fc.constantFrom('hard' as const, 'soft' as const),
    documents: fc.constantFrom('none' as const, 'changed' as const, 'all' as const),
    context: fc.record({
      nowMs: fc.double({ noNaN: true }),
      arrayLimit: count,
    }),
    hook: maybe(aFunction),
    session: maybe(fc.record({ id: text, sequence: count, isRepeated: fc.boolean() })),
  })
  .map(({ changes, picks, session, ...rest }) => {
    const edits = picks.map(({ key, pick }) => ({
      key,
      change: changes[pick % changes.length] as Change,
    }));
    return session === undefined ? { ...rest, edits } : { ...rest, edits, session };
  });

const editValue = fc.oneof(fc.record({ text }), aFunction);
const step: fc.Arbitrary<ScanStep> = fc.oneof(
  fc.record({
    type: fc.constant('filter' as const),
    by: editValue,
    skipsMissing: fc.boolean(),
  }),
  fc.record({
    type: fc.constantFrom('map' as const, 'concatMap' as const),
    by: aFunction,
  }),
  fc.record({
    type: fc.constant('apply' as const),
    term: fc.constantFrom(...rowTerms),
    args: fc.array(fc.record({ text }), { maxLength: 2 }),
  }),
);
const pushed: fc.Arbitrary<PushedScan> = fc.record({
  steps: fc.array(step, { maxLength: 3 }),
  fold: maybe(
    fc.record({
      type: fc.constantFrom(...foldTypes),
      by: maybe(editValue),
      group: maybe(
        fc.record({
          by: fc.array(editValue, { maxLength: 2 }),
          multi: fc.boolean(),
        }),
      ),
    }),
  ),
  context: fc.record({ nowMs: count, arrayLimit: count }),
});

const to = fc.oneof(
  fc.record({ table: text, shard: fc.nat(), epoch: count }),
  fc.record({
    table: text,
    shard: fc.nat(),
    epoch: count,
    mode: fc.constantFrom('majority' as const, 'outdated' as const),
  }),
);
const request: fc.Arbitrary<TableRequest> = fc.oneof(
  fc.record({
    to,
    kind: fc.constant('get' as const),
    body: fc.record({ key: bytes }),
  }),
  fc.record({ to, kind: fc.constant('edit' as const), body: batch }),
  fc.record({
    to,
    kind: fc.constant('scan' as const),
    body: fc.record({
      index: maybe(text),
      range: fc.record({ start: bytes, end: bytes }, { requiredKeys: [] }),
      order: fc.constantFrom('ascending' as const, 'descending' as const),
      after: maybe(fc.record({ key: bytes, indexKey: bytes })),
      rows: count,
      bytes: count,
      pushed: maybe(pushed),
    }),
  }),
  fc.record({
    to,
    kind: fc.constant('scan' as const),
    body: fc.record({
      index: text,
      range: fc.constant({}),
      order: fc.constant('ascending' as const),
      after: fc.constant(undefined),
      until: fc.record({ key: bytes, indexKey: bytes }),
      rows: count,
      bytes: count,
      pushed: fc.constant(undefined),
    }),
  }),
  fc.record({
    to,
    kind: fc.constantFrom('count' as const, 'sync' as const),
    body: fc.constant(undefined),
  }),
);

const failure = fc.record(
  { code: text, message: text, type: fc.nat() },
  { requiredKeys: ['code', 'message'] },
);
const outcome: fc.Arbitrary<EditOutcome> = fc.record(
  {
    result: fc.constantFrom(...editResults),
    old: text,
    new: text,
    isCut: fc.constant(true as const),
    error: failure,
    damage: text,
    basis,
  },
  { requiredKeys: ['result'] },
);
const made = fc.oneof(fc.constant('kept' as const), fc.array(text, { maxLength: 3 }));
const row = fc.record(
  { key: bytes, text, indexKey: bytes, made },
  { requiredKeys: ['key', 'text'] },
);

type Answered = readonly [kind: TableMessageKind, answer: TableAnswer<TableMessageKind>];
const done = (kind: TableMessageKind, body: fc.Arbitrary<unknown>): fc.Arbitrary<Answered> =>
  body.map(
    (each) => [kind, { type: 'done', body: each } as TableAnswer<TableMessageKind>] as const,
  );
const answer: fc.Arbitrary<Answered> = fc.oneof(
  done('get', fc.record({ text: maybe(text) })),
  done('edit', fc.array(outcome, { maxLength: 5 })),
  done('scan', maybe(fc.array(row, { maxLength: 5 }))),
  done('count', fc.record({ count })),
  done('sync', fc.constant(undefined)),
  failure.map((each) => ['edit', { type: 'failed', failure: each }] as const),
);

/** Nobody cares whether bytes are a view, nor which prototype a record has. */
const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
};

const trust = { believesChecks: true };
const requestBytes = request.map(encodeTableRequest);
const answerBytes = answer.map(([kind, each]) => [kind, encodeTableAnswer(kind, each)] as const);

/** A message, or an error that says what is wrong. */
function readable(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    expect(error).to.be.instanceOf(PhotonError);
  }
}

describe('messages between queries and shards', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(request, (sent) => {
        const read = decodeTableRequest(encodeTableRequest(sent), trust);
        expect(plain(read)).to.deep.equal(plain(sent));
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(answer, ([kind, sent]) => {
        const read = decodeTableAnswer(kind, encodeTableAnswer(kind, sent));
        expect(plain(read)).to.deep.equal(plain(sent));
      }),
      { numRuns: 300 },
    );
  });

  it('share the changes that their edits share', () => {
    const shared: Change = { type: 'update', by: { text: 'x'.repeat(10_000) } };
    const edits = Array.from({ length: 200 }, (_, at) => ({
      key: Uint8Array.of(at),
      change: shared,
    }));
    const context = { nowMs: 0, arrayLimit: 1 };
    const body = {
      edits,
      durability: 'hard',
      documents: 'none',
      context,
      hook: undefined,
    } as const;
    const sent = encodeTableRequest({
      to: { table: 't', shard: 0, epoch: 0 },
      kind: 'edit',
      body,
    });
    expect(sent.byteLength).to.be.lessThan(15_000);
    const read = decodeTableRequest(sent, trust);
    const changes = read.kind === 'edit' ? read.body.edits.map((edit) => edit.change) : [];
    expect([changes.length, new Set(changes).size]).to.deep.equal([200, 1]);
  });

  it('of other nodes are not believed that documents were checked', () => {
    const change: Change = {
      type: 'insert',
      document: { text: '{}', isChecked: true },
      isKeyGenerated: false,
      conflict: 'error',
    };
    const context = { nowMs: 0, arrayLimit: 1 };
    const edits = [{ key: new Uint8Array(), change }];
    const body = {
      edits,
      durability: 'hard',
      documents: 'none',
      context,
      hook: undefined,
    } as const;
    const sent = encodeTableRequest({
      to: { table: 't', shard: 0, epoch: 0 },
      kind: 'edit',
      body,
    });
    expect(JSON.stringify(decodeTableRequest(sent, { believesChecks: false }))).to.contain(
      '"isChecked":false',
    );
  });

  it('that are cut, damaged or made of arbitrary bytes are refused by a typed error, or are others', () => {
    const position = fc.nat();
    fc.assert(
      fc.property(requestBytes, position, (sent, at) => {
        const cut = sent.subarray(0, at % sent.byteLength);
        expect(() => decodeTableRequest(cut, trust)).to.throw(PhotonError);
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(requestBytes, position, fc.integer({ min: 1, max: 255 }), (sent, at, flip) => {
        const damaged = sent.slice();
        damaged[at % damaged.byteLength] = (damaged[at % damaged.byteLength] ?? 0) ^ flip;
        readable(() => decodeTableRequest(damaged, trust));
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(
        answerBytes,
        position,
        fc.integer({ min: 1, max: 255 }),
        ([kind, sent], at, flip) => {
          const damaged = sent.slice();
          damaged[at % damaged.byteLength] = (damaged[at % damaged.byteLength] ?? 0) ^ flip;
          readable(() => decodeTableAnswer(kind, damaged));
        },
      ),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (sent) => {
        readable(() => decodeTableRequest(sent, trust));
        readable(() => decodeTableAnswer('edit', sent));
      }),
      { numRuns: 500 },
    );
  });

  it('that announce more than they have are refused before anything is made of it', () => {
    const context = { nowMs: 0, arrayLimit: 1 };
    const body = {
      edits: [],
      durability: 'hard',
      documents: 'none',
      context,
      hook: undefined,
    } as const;
    const sent = encodeTableRequest({
      to: { table: '', shard: 0, epoch: 0 },
      kind: 'edit',
      body,
    });
    const view = new DataView(sent.buffer, sent.byteOffset, sent.byteLength);
    view.setUint32(sent.byteLength - 8, 9_999, true);
    expect(() => decodeTableRequest(sent, trust)).to.throw(/announces 9999 items in 4 bytes/);
    view.setUint32(sent.byteLength - 8, 0xffff_ffff, true);
    expect(() => decodeTableRequest(sent, trust)).to.throw(/announces 4294967295 items/);
    const large = { byteLength: tableMessageBytesMax + 1 } as Uint8Array;
    expect(() => decodeTableRequest(large, trust)).to.throw(/bytes: \d+ at most/);
    expect(() => decodeTableRequest(Uint8Array.of(3, 1), trust)).to.throw(/has format 3/);
    expect(() => decodeTableRequest(Uint8Array.of(1, 99), trust)).to.throw(
      /No request has the number 99/,
    );
    const longer = new Uint8Array([...sent, 0]);
    view.setUint32(sent.byteLength - 8, 0, true);
    expect(() => decodeTableRequest(longer.with(longer.length - 9, 0), trust)).to.throw(
      PhotonError,
    );
  });

  it('whose texts are no UTF-8 are refused', () => {
    const sent = encodeTableAnswer('get', {
      type: 'done',
      body: { text: 'abc' },
    });
    const damaged = sent.with(sent.byteLength - 2, 0xff);
    expect(() => decodeTableAnswer('get', damaged)).to.throw(/not UTF-8 at byte 1/);
  });
});
