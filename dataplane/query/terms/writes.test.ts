import { expect } from 'chai';
import { compareBytes } from '../../common/bytes.ts';
import type { TableAccess } from '../../wire/table-access.ts';
import { array, Bench, fn } from '../testing/run.ts';

const literal = (value: unknown): unknown => [137, [value]];
const strayLiteral =
  'Stray literal keyword found: literal is only legal inside of the object passed to merge or update and cannot nest inside other literals.';
const unwritable = '`r.minval` and `r.maxval` cannot be written to disk.';

type Counts = Record<string, unknown>;

/** As a store does: a scan reads a few rows at a time, and meets what is inserted before it comes there. */
function scanInSteps(table: TableAccess): void {
  const scan = table.scan.bind(table);
  table.scan = (range, order, options) => {
    let last: Uint8Array | undefined;
    return {
      next: async (limit, signal) => {
        const rows = (await scan(range, order, options).next(limit, signal)) ?? [];
        const from = last;
        const step = rows
          .filter(({ key }) => from === undefined || compareBytes(key, from) > 0)
          .slice(0, 4);
        last = step.at(-1)?.key ?? last;
        return step.length === 0 ? undefined : step;
      },
      close: () => undefined,
    };
  };
}

describe('terms that write', () => {
  let bench = new Bench();
  let table: unknown;

  beforeEach(async () => {
    bench = new Bench();
    table = await bench.table('docs', [{ id: 1, a: { q: 1 } }]);
  });

  const get = (id: unknown): unknown => [16, [table, id]];
  const stored = (): Promise<unknown> => bench.run(table);
  const ran = async (term: unknown): Promise<Counts> => (await bench.run(term)) as Counts;
  const insert = (document: unknown, conflict?: unknown): unknown =>
    conflict === undefined ? [56, [table, document]] : [56, [table, document], { conflict }];
  const conflictOf = (body: (...rows: readonly unknown[]) => unknown, arity = 3): unknown =>
    insert({ id: 1, a: 3 }, fn(body, arity));

  const refusedRow = async (term: unknown, reason: string): Promise<void> => {
    const { errors, first_error: error } = await ran(term);
    expect([errors, String(error).split('\n')[0]]).to.deep.equal([1, reason]);
    expect(await stored()).to.deep.equal([{ id: 1, a: { q: 1 } }]);
  };
  const refusedQuery = async (term: unknown, reason: string): Promise<void> => {
    const [, message] = await bench.failure(term);
    expect(message).to.equal(reason);
    expect(await stored()).to.deep.equal([{ id: 1, a: { q: 1 } }]);
  };

  it('keep a document under its own key', async () => {
    const moved = (text: string): string => `Primary key \`id\` cannot be changed (${text}`;
    await refusedRow([55, [get('x'), { id: 'y' }]], moved('null -> {'));
    await refusedRow([55, [get('x'), fn(() => ({ id: 'z' }))]], moved('null -> {'));
    await refusedRow([55, [get('x'), {}]], 'Inserted object must have primary key `id`:');
    await refusedRow([55, [get(1), { id: 2 }]], moved('`{'));
    await refusedRow([53, [get(1), { id: 2 }]], moved('`{'));
    await refusedRow(
      conflictOf(() => ({ id: 77 })),
      moved('{'),
    );
    await refusedRow(
      conflictOf(() => ({})),
      'Inserted object must have primary key `id`:',
    );
  });

  it('do not meet what they insert into the table that they read', async () => {
    const documents = Array.from({ length: 12 }, (_, id) => ({ id }));
    const copied = await bench.table('copied', documents);
    scanInSteps([...bench.environment.tables.values()].at(-1) as TableAccess);
    const copyOf = (row: unknown): unknown => ({ id: [24, [[170, [row, 'id']], 100]] });
    const copies = [38, [copied, fn(copyOf)]];
    expect(await ran([56, [copied, copies]])).to.deep.include({ inserted: 12 });
    const each = fn((row) => [56, [copied, { id: [24, [[170, [row, 'id']], 1_000]] }]]);
    expect(await ran([68, [copied, each]])).to.deep.include({ inserted: 24 });
    // A scan that begins behind the insert does.
    const both = [64, [fn(() => [43, [copied]]), [56, [copied, { id: -1 }]]]];
    expect(await bench.run(both)).to.equal(49);
  });

  it('read a document for its value and not for its key', async () => {
    let reads = 0;
    const access = [...bench.environment.tables.values()][0] as TableAccess;
    const read = access.get.bind(access);
    access.get = (...args) => {
      reads += 1;
      return read(...args);
    };
    for (const term of [
      [53, [get(1), { b: 1 }]],
      [53, [get(1), fn((row) => ({ c: [170, [row, 'b']] }))]],
      [55, [get(1), { id: 1 }]],
      [54, [get(1)]],
    ])
      await bench.run(term);
    expect(reads).to.equal(0);
    // Read before it changes, whatever is done with it afterwards.
    await bench.run(insert({ id: 1, a: 1 }));
    const before = fn((row) => [
      2,
      [
        [53, [get(1), { a: 2 }]],
        [170, [row, 'a']],
      ],
    ]);
    const [changes, old] = (await bench.run([64, [before, get(1)]])) as [Counts, unknown];
    expect([changes['replaced'], old, reads]).to.deep.equal([1, 1, 1]);
    const own = fn((row) => [
      2,
      [
        [54, [row]],
        [170, [row, 'a']],
      ],
    ]);
    const [deleted, left] = (await bench.run([64, [own, get(1)]])) as [Counts, unknown];
    expect([deleted['deleted'], left, reads]).to.deep.equal([1, 2, 2]);
  });

  it('write objects and nothing else', async () => {
    const wrong = (type: string): string => `Inserted value must be an OBJECT (got ${type}):`;
    await refusedRow(
      conflictOf(() => 2),
      wrong('NUMBER'),
    );
    await refusedRow(
      conflictOf(() => array(1)),
      wrong('ARRAY'),
    );
    await refusedRow(
      conflictOf(() => [101, [1]]),
      wrong('PTYPE<TIME>'),
    );
    await refusedRow([55, [get(1), 5]], wrong('NUMBER'));
    await refusedRow([55, [get(1), fn(() => array())]], wrong('ARRAY'));
    await refusedRow(insert(array(5)), 'Expected type OBJECT but found NUMBER.');
    await refusedQuery(insert(5), 'Cannot convert NUMBER to SEQUENCE');
    await refusedQuery(insert(null), 'Cannot convert NULL to SEQUENCE');
  });

  it('take a conflict function of three arguments that follows from them alone', async () => {
    const arity = 'The conflict function passed to `insert` should expect 3 arguments.';
    await refusedQuery(
      conflictOf((a) => a, 1),
      arity,
    );
    await refusedQuery(
      conflictOf((_, b) => b, 2),
      arity,
    );
    const chance = 'The conflict function passed to `insert` must be deterministic.';
    await refusedQuery(
      conflictOf(() => get(1)),
      chance,
    );
    await refusedQuery(
      conflictOf(() => ({ id: 1, a: [151, []] })),
      chance,
    );
    const merged = conflictOf((_, old, added) => [35, [old, { b: [170, [added, 'a']] }]]);
    expect(await ran(merged)).to.include({ replaced: 1, errors: 0 });
    expect(await stored()).to.deep.equal([{ id: 1, a: { q: 1 }, b: 3 }]);
    expect(await ran(conflictOf((id) => ({ id, now: [103, []] })))).to.include({ replaced: 1 });
    expect(await ran(conflictOf(() => null))).to.include({ deleted: 1 });
    expect(await stored()).to.deep.equal([]);
  });

  it('know three other answers to a conflict', async () => {
    await refusedQuery(
      insert({ id: 1 }, 'upsert'),
      'Conflict option `upsert` unrecognized (options are "error", "replace" and "update").',
    );
    await refusedRow(insert({ id: 1 }), 'Duplicate primary key `id`:');
    expect(await ran(insert({ id: 1, b: 1 }, 'update'))).to.include({ replaced: 1 });
    expect(await ran(insert({ id: 1 }, 'replace'))).to.include({ replaced: 1 });
    expect(await stored()).to.deep.equal([{ id: 1 }]);
  });

  it('take literals where something is laid over something, and nowhere else', async () => {
    for (const document of [
      { id: 2, a: literal(1) },
      { id: 2, a: array({ b: literal(1) }) },
    ]) {
      await refusedQuery(insert(document), strayLiteral);
      await refusedQuery(insert(array({ id: 3 }, document)), strayLiteral);
      await refusedQuery(insert(document, 'update'), strayLiteral);
    }
    await refusedRow([55, [get(1), { id: 1, a: literal(1) }]], strayLiteral);
    await refusedRow([55, [get(1), fn(() => ({ id: 1, a: literal(1) }))]], strayLiteral);
    await refusedRow(
      conflictOf(() => ({ id: 1, a: array(literal(5)) })),
      strayLiteral,
    );
    const raw = { $reql_type$: 'LITERAL', value: { z: 1 } };
    expect(await ran([53, [get(1), { a: raw }]])).to.include({ replaced: 1 });
    expect(await stored()).to.deep.equal([{ id: 1, a: { z: 1 } }]);
    const inArrays = { a: array(literal({ x: 1 }), { z: literal(2) }, [137, []]) };
    expect(await ran([53, [get(1), inArrays]])).to.include({ replaced: 1 });
    expect(await stored()).to.deep.equal([{ id: 1, a: [{ x: 1 }, { z: 2 }] }]);
  });

  it('write no bounds', async () => {
    for (const bound of [[180, []], array([181, []]), { x: [180, []] }]) {
      await refusedRow(insert({ id: 2, value: bound }), unwritable);
      await refusedRow(insert(array({ id: 2, value: bound })), unwritable);
      await refusedRow([53, [get(1), { value: bound }]], unwritable);
      await refusedRow([55, [get(1), fn(() => ({ id: 1, value: bound }))]], unwritable);
    }
    const mixed = await ran(insert(array({ id: 2 }, { id: 3, value: [181, []] })));
    expect(mixed).to.include({ inserted: 1, errors: 1, first_error: unwritable });
  });

  it('tell the changes in the order of the documents', async () => {
    const answer = await ran([
      56,
      [table, array({ id: 2 }, { id: 1 }, { id: [180, []] }, { id: 'x'.repeat(200) }, { id: 3 })],
      { return_changes: 'always' },
    ]);
    const changes = answer['changes'] as readonly Record<string, unknown>[];
    expect(changes.map((change) => 'error' in change)).to.deep.equal([
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(answer['first_error']).to.equal(unwritable);
  });

  it('leave a document alone that an update says nothing of', async () => {
    expect(await ran([53, [get(1), fn(() => null)]])).to.include({ unchanged: 1, errors: 0 });
    expect(await ran([53, [get(1), null]])).to.include({ unchanged: 1 });
    expect(await ran([53, [get(9), fn(() => ({ a: 1 }))]])).to.include({ skipped: 1 });
  });

  it('are sources of sequences, and no part of what is done with each item', async () => {
    const changes = (patch: unknown): unknown => [
      170,
      [[53, [table, patch], { return_changes: true }], 'changes'],
    ];
    expect(await bench.run([43, [changes({ x: 1 })]])).to.equal(1);
    const ids = [38, [changes({ x: 2 }), fn((row) => [170, [[170, [row, 'new_val']], 'id']])]];
    expect(await bench.run(ids)).to.deep.equal([1]);
    expect(await bench.run([43, [[170, [insert(array({}, {})), 'generated_keys']]]])).to.equal(2);
    const nested = [38, [array(1), fn((id) => insert({ id }))]];
    const refusal = 'Cannot nest writes or meta ops in stream operations.  Use FOR_EACH instead.';
    expect((await bench.failure(nested))[1]).to.equal(refusal);
    expect((await bench.failure([39, [changes({ x: 3 }), nested]]))[1]).to.equal(refusal);
  });

  it('take an object that is written as a term', async () => {
    expect(await ran(insert([3, [], { id: 5, b: [24, [1, 2]] }]))).to.include({ inserted: 1 });
    expect(await bench.run(get(5))).to.deep.equal({ id: 5, b: 3 });
    expect(await bench.run([3, { c: 1 }])).to.deep.equal({ c: 1 });
  });
});
