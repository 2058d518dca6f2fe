import { expect } from 'chai';
import { array, Bench, fn } from '../testing/run.ts';

const t = [15, ['t']];
const set = (hook: unknown): unknown => [189, [t, hook]];
const insert = (document: unknown, options: object = {}): unknown => [56, [t, document], options];
const get = (key: unknown): unknown => [16, [t, key]];
/** A hook of the context, the old and the new document. */
const hook = (body: (context: unknown, old: unknown, next: unknown) => unknown): unknown =>
  fn((context, old, next) => body(context, old, next), 3);
const merge = (value: unknown, fields: object): unknown => [35, [value, fields]];
const field = (value: unknown, name: string): unknown => [170, [value, name]];

describe('write hooks', () => {
  let bench = new Bench();
  beforeEach(async () => {
    bench = new Bench();
    await bench.table('t', []);
  });
  const run = (term: unknown): Promise<unknown> => bench.run(term);

  it('are created, replaced and removed', async () => {
    const first = hook((_, __, next) => next);
    expect(await run(set(first))).to.deep.equal({ created: 1 });
    expect(await run(set(first))).to.deep.equal({ replaced: 1 });
    expect(await run(set(null))).to.deep.equal({ deleted: 1 });
    expect(await run(set(null))).to.deep.equal({ deleted: 1 });
    expect(await run([190, [t]])).to.equal(null);
  });

  it('change what insert, update and replace write', async () => {
    await run(
      set(hook((_, __, next) => merge(next, { n: [24, [[92, [field(next, 'n'), 0]], 1]] }))),
    );
    await run(insert(array({ id: 1 }, { id: 2, n: 5 })));
    await run([53, [get(1), { a: 1 }]]);
    await run([55, [get(2), { id: 2 }]]);
    await run(insert({ id: 1, n: 7 }, { conflict: 'update' }));
    expect(await run(get(1))).to.deep.equal({ id: 1, a: 1, n: 8 });
    expect(await run(get(2))).to.deep.equal({ id: 2, n: 1 });
  });

  it('get the key, the time of the query, the old and the new document', async () => {
    const body = hook((context, old, next) =>
      merge(next, { context, old: [92, [field(old, 'a'), 'none']] }),
    );
    await run(set(body));
    await run(insert({ id: 'k', a: 1 }));
    const timestamp = { $reql_type$: 'TIME', epoch_time: 1_700_000_000, timezone: '+00:00' };
    const context = { primary_key: 'k', timestamp };
    expect(await run(get('k'))).to.deep.equal({ id: 'k', a: 1, context, old: 'none' });
    await run([53, [get('k'), { a: 2 }]]);
    expect(await run(field(get('k'), 'old'))).to.equal(1);
  });

  it('are asked about deletions and documents that are not there', async () => {
    await run(set(hook((_context, _old, next) => [65, [[17, [next, null]], [12, ['no ']], next]])));
    await run(insert({ id: 1 }));
    const deletion = (await run([54, [get(1)]])) as object;
    expect(deletion).to.include({ errors: 1, first_error: 'Error in write hook: no ' });
    const update = (await run([53, [get(2), { a: 1 }]])) as object;
    expect(update).to.include({ errors: 1, skipped: 0 });
    expect(await run([43, [t]])).to.equal(1);
  });

  it('neither turn a deletion into a write nor a write into a deletion', async () => {
    await run(insert({ id: 1 }));
    await run(set(hook(() => null)));
    expect(await run(insert({ id: 2 }))).to.include({
      errors: 1,
      first_error: 'A write hook function must not turn a replace/insert into a deletion.',
    });
    expect(await run([54, [t]])).to.include({ deleted: 1, errors: 0 });
    await run(insert({ id: 1 }, { ignore_write_hook: true }));
    await run(set(hook(() => ({ id: 1 }))));
    expect(await run([54, [t]])).to.include({
      errors: 1,
      first_error: 'A write hook function must not turn a deletion into a replace/insert.',
    });
  });

  it('answer documents that are checked like any others', async () => {
    const failure = async (result: unknown): Promise<unknown> => {
      await run(set(hook(() => result)));
      return run(insert({ id: 1 }));
    };
    expect(await failure(5)).to.include({ errors: 1, inserted: 0 });
    expect(await failure(array(1))).to.include({ errors: 1 });
    expect(await failure({ id: 2 })).to.include({ errors: 1 });
    const { first_error: words } = (await failure({ a: 1 })) as { first_error: string };
    expect(words).to.contain('Inserted object must have primary key `id`');
    expect(await run([43, [t]])).to.equal(0);
  });

  it('are left out when the write says so, and only then', async () => {
    await run(set(hook(() => [12, ['never']])));
    for (const options of [{ ignore_write_hook: true }]) {
      expect(await run(insert({ id: 1 }, options))).to.include({ inserted: 1 });
      expect(await run([53, [get(1), { a: 1 }], options])).to.include({ replaced: 1 });
      expect(await run([55, [get(1), { id: 1 }], options])).to.include({ replaced: 1 });
      expect(await run([54, [get(1)], options])).to.include({ deleted: 1 });
    }
    expect(await run(insert({ id: 1 }, { ignore_write_hook: false }))).to.include({ errors: 1 });
    const [type, message] = await bench.failure(insert({ id: 1 }, { ignore_write_hook: 'yes' }));
    expect([type, message]).to.deep.equal([3_000_000, 'Expected type BOOL but found STRING.']);
  });

  it('come back from their bytes', async () => {
    await run(set(hook((_, __, next) => merge(next, { a: array(1, { b: array() }) }))));
    const bytes = field([190, [t]], 'function');
    const { query } = (await run([190, [t]])) as { query: string };
    expect(query).to.match(/^setWriteHook\(/);
    await bench.table('u', []);
    const u = [15, ['u']];
    expect(await run([189, [u, bytes]])).to.deep.equal({ created: 1 });
    await run([56, [u, { id: 1 }]]);
    expect(await run([16, [u, 1]])).to.deep.equal({ id: 1, a: [1, { b: [] }] });
    expect(await run([190, [u]])).to.deep.equal(await run([190, [t]]));
    expect(await run(field([174, [u]], 'write_hook'))).to.deep.equal(await run([190, [u]]));
  });

  it('take the variables around them along', async () => {
    const inner = (value: unknown): unknown => [
      69,
      [[2, [11, 12, 13]], merge([10, [13]], { value, own: [38, [array(1), fn((x) => x)]] })],
    ];
    await run([
      64,
      [[69, [[2, [1, 21]], set(inner([10, [21]]))]], 'hidden', array('x', { y: array(1) })],
    ]);
    await run(insert({ id: 1 }));
    expect(await run(get(1))).to.deep.equal({ id: 1, value: ['x', { y: [1] }], own: [1] });
  });

  it('are refused when they cannot be hooks', async () => {
    const binary = (text: string): unknown => ({ $reql_type$: 'BINARY', data: btoa(text) });
    const cases: readonly (readonly [unknown, string])[] = [
      [fn(() => 1), 'Write hook functions must expect 3 arguments.'],
      [
        hook(() => [103, []]),
        'Could not prove function deterministic.  Write hook functions must be deterministic.',
      ],
      [
        hook(() => get(1)),
        'Could not prove function deterministic.  Write hook functions must be deterministic.',
      ],
      [
        binary('age'),
        'Cannot create a write hook except from a reql_write_hook_function returned from `get_write_hook`.',
      ],
    ];
    for (const [term, message] of cases) {
      expect((await bench.failure(set(term))).slice(0, 2)).to.deep.equal([3_000_000, message]);
    }
    const [, unreadable] = await bench.failure(set(binary('$reql_write_hook_function$?')));
    expect(unreadable).to.contain('could not be interpreted as a reql_write_hook_function');
    for (const value of ['x', 5, array(1), {}])
      expect((await bench.failure(set(value)))[1]).to.contain('Expected type FUNCTION but found');
    const [, special] = await bench.failure([
      189,
      [[15, [[14, ['rethinkdb']], 'db_config']], hook(() => 1)],
    ]);
    expect(special).to.equal(
      "Database `rethinkdb` is special; you can't set a write hook on the tables in it.",
    );
    expect(await run([190, [t]])).to.equal(null);
  });

  it('refuse writes when this version cannot read them', async () => {
    const table = bench.environment.catalog.table('d-test', 't');
    const catalog = bench.environment.catalog;
    for (const stored of [
      { format: 2, definition: '[]' },
      { format: 1, definition: 'damaged' },
    ]) {
      await catalog.setWriteHook(table?.id ?? '', stored);
      const [type, message] = await bench.failure(insert({ id: 1 }));
      expect(type).to.equal(4_100_000);
      expect(message).to.contain('The write hook of table `test.t`');
      expect(await run(insert({ id: 1 }, { ignore_write_hook: true }))).to.include({ errors: 0 });
      await run([54, [t], { ignore_write_hook: true }]);
    }
  });
});
