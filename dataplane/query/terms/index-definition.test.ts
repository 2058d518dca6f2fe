import { Buffer } from 'node:buffer';
import { expect } from 'chai';
import { encodeIndex } from '../function-blob.ts';
import { array, Bench, fn } from '../testing/run.ts';

const docs = [15, ['docs']];
const field = (value: unknown, name: string): unknown => [170, [value, name]];
const binary = (bytes: Uint8Array | string): unknown => ({
  $reql_type$: 'BINARY',
  data: Buffer.from(bytes).toString('base64'),
});

describe('what an index is over', () => {
  let bench = new Bench();
  beforeEach(async () => {
    bench = new Bench();
    await bench.table('docs', [
      { id: 1, a: 1, tags: array('x', 'y') },
      { id: 2, a: 2, tags: array('y') },
    ]);
  });
  const run = (term: unknown): Promise<unknown> => bench.run(term);
  const create = (name: string, by?: unknown, options = {}): Promise<unknown> =>
    run([75, by === undefined ? [docs, name] : [docs, name, by], options]);
  const status = async (name: string): Promise<Record<string, unknown>> =>
    ((await run([139, [docs, name]])) as Record<string, unknown>[])[0] ?? {};
  const found = (index: string, value: unknown): Promise<unknown> =>
    run(field([78, [docs, value], { index }], 'id'));

  it('comes back from its bytes, with `multi`', async () => {
    await create('a');
    await create(
      'sum',
      fn((doc) => [24, [field(doc, 'a'), 10]]),
    );
    await create('tags', undefined, { multi: true });
    for (const [name, value, ids] of [
      ['a', 2, [2]],
      ['sum', 11, [1]],
      ['tags', 'y', [1, 2]],
    ] as const) {
      const { function: bytes, multi, query } = await status(name);
      await create(`${name} again`, bytes);
      const again = await status(`${name} again`);
      expect(again).to.deep.include({ function: bytes, multi });
      expect(again['query']).to.equal(String(query).replace(`'${name}'`, `'${name} again'`));
      expect(await found(`${name} again`, value)).to.have.members([...ids]);
    }
  });

  it('is written as the query that makes it', async () => {
    await create('a');
    await create(
      'tags',
      fn((doc) => field(doc, 'tags')),
      { multi: true },
    );
    expect((await status('a'))['query']).to.equal(
      `indexCreate('a', function(var_1) { return var_1("a"); })`,
    );
    expect((await status('tags'))['query']).to.equal(
      `indexCreate('tags', function(var_1) { return var_1("tags"); }, {multi: true})`,
    );
  });

  it('takes a function of no parameters, as the Go driver writes it', async () => {
    await create('one', [69, [[2], 1]]);
    expect(await found('one', 1)).to.have.members([1, 2]);
    expect(await run([64, [[69, [[2], 5]]]])).to.equal(5);
  });

  it('renames, but not to or from the primary key', async () => {
    await create('a');
    await create('b');
    const failure = async (from: string, to: string): Promise<[number, string]> => {
      const [type, message] = await bench.failure([156, [docs, from, to]]);
      return [type, message];
    };
    const conflict = 'Index name conflict: `id` is the name of the primary key.';
    expect(await failure('a', 'id')).to.deep.equal([3_000_000, conflict]);
    expect(await failure('id', 'a')).to.deep.equal([3_000_000, conflict]);
  });

  it('lets the option win over the bytes', async () => {
    await create('tags', undefined, { multi: true });
    const { function: bytes } = await status('tags');
    await create('whole', bytes, { multi: false });
    expect((await status('whole'))['multi']).to.equal(false);
    expect(await found('whole', array('y'))).to.deep.equal([2]);
  });

  it('takes the variables around a function along', async () => {
    const inner = [
      69,
      [
        [2, [2]],
        [24, [field([10, [2]], 'a'), [10, [1]]]],
      ],
    ];
    await run([
      64,
      [
        [
          69,
          [
            [2, [1]],
            [75, [docs, 'more', inner]],
          ],
        ],
        100,
      ],
    ]);
    expect(await found('more', 102)).to.deep.equal([2]);
  });

  it('is refused when it is neither a function nor such bytes', async () => {
    const failure = async (by: unknown): Promise<string> =>
      (await bench.failure([75, [docs, 'wrong', by]]))[1];
    for (const by of ['a', 5, null, {}, array('a'), true])
      expect(await failure(by)).to.contain('Expected type FUNCTION but found');
    expect(await failure(binary('age'))).to.contain('Cannot create an sindex except from');
    expect(await failure(binary('$reql_index_function$'))).to.contain('could not be interpreted');
    const random = { term: fn(() => [151, []]), multi: false, geo: false };
    expect(await failure(binary(encodeIndex(random)))).to.contain('must be deterministic');
    expect(await failure(fn(() => [103, []]))).to.contain('must be deterministic');
    const geo = { term: fn((doc) => field(doc, 'a')), multi: false, geo: true };
    expect(await failure(binary(encodeIndex(geo)))).to.contain('Geospatial indexes are not');
    const unknown = {
      term: [
        69,
        [
          [2, [1]],
          [10, [9]],
        ],
      ],
      multi: false,
      geo: false,
    };
    expect(await failure(binary(encodeIndex(unknown)))).to.contain('Variable name not found');
    expect(await run([77, [docs]])).to.deep.equal([]);
  });
});
