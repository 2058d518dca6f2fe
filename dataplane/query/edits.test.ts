import { expect } from 'chai';
import { encodeKey } from '../datum/key.ts';
import { withinAnswer } from '../wire/edit-answer.ts';
import type { TableAccess } from '../wire/table-access.ts';
import type { Change, Edit, EditBatch, EditOutcome } from '../wire/table-edit.ts';
import { createEditEngine } from './edit-engine.ts';
import { array, Bench, fn } from './testing/run.ts';

const mebibyte = 1_048_576;
const t = [15, ['t']];
const get = (key: unknown): unknown => [16, [t, key]];
const field = (value: unknown, name: string): unknown => [170, [value, name]];
const plus = (...values: readonly unknown[]): unknown => [24, values];
const update = (target: unknown, by: unknown, options: object = {}): unknown => [
  53,
  [target, by],
  options,
];
/** A function of one parameter of that number. */
const numbered = (id: number, body: (parameter: unknown) => unknown): unknown => [
  69,
  [[2, [id]], body([10, [id]])],
];
const withValue = (value: unknown, body: (parameter: unknown) => unknown): unknown => [
  64,
  [numbered(7, body), value],
];
const signal = new AbortController().signal;

const batchOf = (
  edits: readonly Edit[],
  context = { nowMs: 0, arrayLimit: 100_000 },
): EditBatch => ({
  edits,
  durability: 'hard',
  context,
  hook: undefined,
  documents: 'all',
});

/** A table in memory whose edits a test sees, and may act before. */
class RecordingTable {
  readonly bench = new Bench();
  readonly sent: EditBatch[] = [];
  /** Bytes of documents in an answer. */
  answerMax = 128 * mebibyte;
  /** Called before each batch, but for those that it sends itself. */
  before: (batch: EditBatch, other: (change: Change) => Promise<unknown>) => Promise<unknown> =
    () => Promise.resolve();

  async open(documents: readonly unknown[]): Promise<void> {
    await this.bench.table('t', documents);
    const inner = [...this.bench.environment.tables.values()].at(-1) as TableAccess;
    const edit = inner.edit.bind(inner);
    const other = (change: Change): Promise<readonly EditOutcome[]> =>
      edit(batchOf([{ key: encodeKey(1), change }]), signal);
    inner.edit = async (batch, batchSignal) => {
      this.sent.push(batch);
      await this.before(batch, other);
      // Nothing but data crosses.
      const outcomes = await edit(structuredClone(batch), batchSignal);
      return structuredClone([...withinAnswer(outcomes, this.answerMax)]);
    };
  }

  get changes(): string[] {
    return this.sent.flatMap(({ edits }) => edits.map(({ change }) => change.type));
  }

  /** Edits of each batch. */
  get sizes(): number[] {
    return this.sent.map(({ edits }) => edits.length);
  }
}

describe('edits of a query', () => {
  let watched = new RecordingTable();
  beforeEach(() => {
    watched = new RecordingTable();
  });
  const run = (term: unknown): Promise<unknown> => watched.bench.run(term);

  it('are data, with the values that they capture', async () => {
    await watched.open([{ id: 1, n: 1 }]);
    await run(
      update(
        get(1),
        fn((row) => ({ n: plus(field(row, 'n'), 1) })),
      ),
    );
    await run(update(get(1), { list: array(1, 2), zero: -0 }));
    await run(
      withValue({ a: { b: 1 } }, (value) =>
        update(
          get(1),
          fn(() => ({ value })),
        ),
      ),
    );
    await run(
      withValue(get(1), (row) =>
        update(
          get(1),
          fn(() => ({ was: [52, [row]] })),
        ),
      ),
    );
    const conflict = fn(
      (_, old, next) => [35, [old, { n: plus(field(old, 'n'), field(next, 'n')) }]],
      3,
    );
    await run([56, [t, { id: 1, n: 40 }], { conflict }]);
    expect(await run(get(1))).to.deep.equal({
      id: 1,
      n: 42,
      list: [1, 2],
      zero: -0,
      value: { a: { b: 1 } },
      was: 'SELECTION<OBJECT>',
    });
    expect(watched.changes).to.deep.equal(['update', 'update', 'update', 'update', 'insert']);
  });

  it('go in batches of 200, and of a few mebibytes', async () => {
    const large = 'x'.repeat(mebibyte);
    const rows = Array.from({ length: 20 }, (_, id) => ({ id }));
    await watched.open([]);
    const numbers = (count: number, body: (id: unknown) => unknown): unknown => [
      38,
      [[173, [count]], fn(body)],
    ];
    await run([56, [t, numbers(20, (id) => ({ id, large }))]]);
    expect(watched.sizes).to.deep.equal([7, 7, 6]);
    watched.sent.length = 0;
    await run(update(t, { n: 1 }));
    await run(
      update(
        t,
        fn(() => ({ n: field(get(1), 'n') })),
        { non_atomic: true },
      ),
    );
    expect(watched.sizes).to.deep.equal([7, 7, 6, 7, 7, 7, 7, 6, 6]);
    watched.sent.length = 0;
    await run([54, [t]]);
    expect(watched.sizes).to.deep.equal([7, 7, 6]);
    watched.sent.length = 0;
    await run([56, [t, array(...rows)]]);
    // Small documents of which each becomes large.
    await run(update(t, { large }));
    expect(watched.sizes).to.deep.equal([20, 7, 7, 6]);
    watched.sent.length = 0;
    await run([56, [t, numbers(450, (id) => ({ id: plus(id, 100) }))]]);
    expect(watched.sizes).to.deep.equal([200, 200, 50]);
  });

  it('that make documents too large for an answer leave these out', async () => {
    await watched.open([1, 2, 3].map((id) => ({ id })));
    watched.answerMax = 260;
    const changed = update(t, { text: 'x'.repeat(100) }, { return_changes: true });
    const answer = (await run(changed)) as { changes: unknown[] };
    expect(answer).to.deep.include({
      replaced: 3,
      warnings: ['Too many changes, array truncated to 2.'],
    });
    expect(answer.changes).to.have.lengthOf(2);
    // Nothing is lost of what the query evaluates: it asks again.
    const byOther = fn((row) => ({ n: plus(field(row, 'id'), field(get(1), 'id')) }));
    watched.answerMax = 130;
    expect(await run(update(t, byOther, { non_atomic: true }))).to.deep.include({
      replaced: 3,
      errors: 0,
    });
    expect(await run([145, [[170, [t, 'n']]]])).to.equal(9);
  });

  it('refuse a document that no table may hold before it is sent', async () => {
    await watched.open([]);
    const text = 'x'.repeat(mebibyte);
    const document = { id: 1, list: [38, [[173, [65]], fn(() => text)]] };
    const answer = await run([56, [t, { ...document, list: [51, [document.list, 'array']] }]]);
    expect(answer)
      .to.have.property('first_error')
      .that.matches(/^A document of 68\d{6} bytes is too large: 67108864 bytes at most\.$/);
    expect(watched.sent).to.deep.equal([]);
  });

  it('keep the sign of a zero that stands in a function', async () => {
    await watched.open([{ id: 1 }]);
    await run(
      update(
        get(1),
        fn(() => ({ zero: -0 })),
      ),
    );
    expect(await run([172, [field(get(1), 'zero')]])).to.equal('-0.0');
  });

  it('see `r.now` of their query', async () => {
    await watched.open([{ id: 1 }]);
    await run(
      update(
        get(1),
        fn(() => ({ at: [103, []] })),
      ),
    );
    expect(await run([21, [field(get(1), 'at'), [103, []]]])).to.equal(false);
    expect(await run([17, [field(get(1), 'at'), [103, []]]])).to.equal(true);
  });

  it('are evaluated by the query when they read other tables, and only then', async () => {
    await watched.open([
      { id: 1, n: 1 },
      { id: 2, n: 5 },
    ]);
    const other = fn(() => ({ n: field(get(2), 'n') }));
    const [, refused] = await watched.bench.failure(update(get(1), other));
    expect(refused).to.match(/^Could not prove argument deterministic/);
    const answer = await run(update(t, other, { non_atomic: true, return_changes: true }));
    expect(answer).to.deep.include({ replaced: 1, unchanged: 1, errors: 0 });
    expect(answer)
      .to.have.property('changes')
      .that.deep.equals([{ new_val: { id: 1, n: 5 }, old_val: { id: 1, n: 1 } }]);
    expect(watched.changes).to.deep.equal(['fetch', 'fetch', 'compareAndSet', 'compareAndSet']);
  });

  it('that need too much work for a shard are evaluated by the query', async () => {
    const items = Array.from({ length: 400 }, (_, at) => at);
    await watched.open([
      { id: 1, items: [2, items] },
      { id: 2, items: [2, [1, 2]] },
    ]);
    const nested = fn((row) => ({
      n: [
        145,
        [
          [
            38,
            [
              field(row, 'items'),
              numbered(2, () => [
                145,
                [[38, [field(row, 'items'), numbered(3, (item) => plus(item, 1))]]],
              ]),
            ],
          ],
        ],
      ],
    }));
    expect(await run(update(t, nested))).to.deep.include({ errors: 0, replaced: 2 });
    expect(watched.changes).to.deep.equal(['update', 'update', 'compareAndSet']);
    expect(await run(field(get(1), 'n'))).to.equal(400 * 80_200);
    expect(await run(field(get(2), 'n'))).to.equal(10);
  });

  it('keep the order of two edits of a document, one of which is returned', async () => {
    await watched.open([]);
    const items = Array.from({ length: 400 }, (_, at) => at);
    const conflict = fn(
      (_, old, next) => [
        35,
        [
          old,
          {
            list: [29, [field(old, 'list'), field(next, 'last')]],
            n: [
              145,
              [[38, [field(old, 'items'), numbered(8, () => [145, [field(old, 'items')]])]]],
            ],
          },
        ],
      ],
      3,
    );
    await run([56, [t, { id: 1, items: [2, items], list: [2, []] }]]);
    const documents = [1, 2, 3].map((last) => ({ id: 1, last }));
    expect(await run([56, [t, array(...documents)], { conflict }])).to.deep.include({
      replaced: 3,
    });
    expect(await run(field(get(1), 'list'))).to.deep.equal([1, 2, 3]);
  });

  it('are evaluated again when the document has changed meanwhile', async () => {
    await watched.open([{ id: 1, n: 1 }]);
    let times = 0;
    watched.before = async ({ edits: [first] }, other) => {
      if (first?.change.type !== 'compareAndSet' || times >= 3) return;
      times += 1;
      await other({ type: 'update', by: { text: `{"n":${10 * times}}` } });
    };
    const byOther = fn((row) => ({ n: plus(field(row, 'n'), field(get(1), 'n')) }));
    const answer = await run(update(get(1), byOther, { non_atomic: true }));
    expect(answer).to.deep.include({ replaced: 1, errors: 0 });
    expect(await run(field(get(1), 'n'))).to.equal(60);
  });

  it('end with an error of the document when others write it too often', async () => {
    await watched.open([{ id: 1, n: 1 }]);
    let n = 1;
    watched.before = async ({ edits: [first] }, other) => {
      if (first?.change.type !== 'compareAndSet') return;
      n += 1;
      await other({ type: 'update', by: { text: `{"n":${n}}` } });
    };
    const byOther = fn(() => ({ m: field(get(1), 'n') }));
    const answer = await run(update(get(1), byOther, { non_atomic: true }));
    expect(answer).to.deep.include({ replaced: 0, errors: 1 });
    expect(answer)
      .to.have.property('first_error')
      .that.matches(/^The document changed 100 times/);
    expect(await run(get(1))).to.deep.equal({ id: 1, n });
  });

  it('that fail in the query fail on the newest document', async () => {
    await watched.open([{ id: 1, n: 1 }]);
    const failing = fn((row) => [
      65,
      [[17, [field(row, 'n'), 1]], [12, ['one']], { m: field(get(1), 'n') }],
    ]);
    const answer = await run(update(get(1), failing, { non_atomic: true }));
    expect(answer).to.deep.include({ errors: 1, first_error: 'one' });
    let isFirst = true;
    watched.before = async ({ edits: [first] }, other) => {
      if (first?.change.type !== 'compareAndSet' || !isFirst) return;
      isFirst = false;
      await other({ type: 'update', by: { text: '{"n":2}' } });
    };
    expect(await run(update(get(1), failing, { non_atomic: true }))).to.deep.include({
      replaced: 1,
    });
    expect(await run(get(1))).to.deep.equal({ id: 1, n: 2, m: 2 });
  });
});

describe('the engine of edits', () => {
  const engine = createEditEngine();
  const evaluated = (change: Change, old: string | undefined, id: unknown = 1): unknown =>
    engine
      .begin(batchOf([]), { primaryKey: 'id' })
      .evaluate({ key: encodeKey(id as number), change }, old);
  const insert = (text: string, isChecked: boolean): Change => ({
    type: 'insert',
    document: { text, isChecked },
    isKeyGenerated: false,
    conflict: 'error',
  });

  it('checks each document that nobody has checked', () => {
    for (const text of ['[]', '{"id":2}', '{}', '{"id":1,"t":{"$reql_type$":"TIME"}}', '{'])
      expect(evaluated(insert(text, false), undefined), text).to.include({ type: 'failed' });
    expect(evaluated(insert('{"b":1,"a":2,"id":1}', false), undefined)).to.deep.equal({
      type: 'done',
      text: '{"a":2,"b":1,"id":1}',
      isEqual: false,
    });
  });

  it('returns what it cannot evaluate, and no other failure', () => {
    const by = (term: unknown): Change => ({
      type: 'update',
      by: { term: JSON.stringify(term), captured: [] },
    });
    const foreign = [
      fn(() => get(1)),
      fn(() => ({ n: [151, []] })),
      fn(() => [9_999, []]),
      5,
      [
        69,
        [
          [2, [1]],
          [10, [2]],
        ],
      ],
    ];
    for (const term of foreign)
      expect(evaluated(by(term), '{"id":1}'), JSON.stringify(term)).to.deep.equal({
        type: 'returned',
      });
    expect(evaluated(by(fn(() => [12, ['no']])), '{"id":1}')).to.deep.equal({
      type: 'failed',
      error: { code: 'query.runtime', message: 'no', type: 5_000_000 },
    });
    expect(evaluated({ type: 'fetch', replacesDamage: false }, undefined)).to.deep.equal({
      type: 'returned',
    });
  });

  it('takes captured values for arguments: `r.row` stays that of the function', () => {
    const term = JSON.stringify([69, [[2, [1]], { n: plus(field([13, []], 'n'), [10, [5]]) }]]);
    for (const n of [1, 2]) {
      const captured = [{ variable: 5, value: { text: String(n) }, isSelection: false }];
      const change: Change = { type: 'update', by: { term, captured } };
      expect(evaluated(change, '{"id":1,"n":40}')).to.deep.include({
        text: `{"id":1,"n":${40 + n}}`,
      });
    }
  });

  it('tells a document of the same value from one that changed', () => {
    const time = (timezone: string): string =>
      `{"at":{"$reql_type$":"TIME","epoch_time":1,"timezone":"${timezone}"},"id":1}`;
    const change: Change = { type: 'replace', by: { text: time('+01:00') } };
    expect(evaluated(change, time('+00:00'))).to.deep.equal({
      type: 'done',
      text: time('+01:00'),
      isEqual: true,
    });
  });
});
