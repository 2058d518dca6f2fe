import { expect } from 'chai';
import type { GlobalOptions } from './engine.ts';
import { globalOptionTable } from './global-options.ts';
import { Term, termNames } from './term-table.ts';
import { definitions } from './terms/all.ts';
import { array, Bench, fn } from './testing/run.ts';

const field = (row: unknown, name: string): unknown => [Term.BRACKET, [row, name]];
const table = [Term.TABLE, ['t']];
const get = (key: number): unknown => [Term.GET, [table, key]];
const rows = array({ id: 1, a: array(2, 3) }, { id: 2, a: array(3) }, { id: 3 });
const add = fn((sum, x) => [Term.ADD, [sum, x]], 2);
const config = (name: string): unknown => [Term.CONFIG, [[Term.TABLE, [name]]]];
const inOrder = array(1, 3);

type Example = readonly [
  term: number,
  option: string,
  args: unknown,
  value: unknown,
  then?: unknown,
];

/** For each option a query whose answer (or whose `then`) it changes. */
const examples: readonly Example[] = [
  [Term.TABLE, 'identifier_format', [[Term.DB, ['rethinkdb']], 'table_config'], 'uuid'],
  [Term.TABLE, 'read_mode', ['t'], 'outdated', 'read mode'],
  [Term.BETWEEN, 'index', [table, 1, 3], 'b'],
  [Term.BETWEEN, 'left_bound', [table, 1, 3], 'open'],
  [Term.BETWEEN, 'right_bound', [table, 1, 5], 'closed'],
  [Term.BETWEEN_DEPRECATED, 'index', [table, 1, 3], 'b'],
  [Term.BETWEEN_DEPRECATED, 'left_bound', [table, 1, null], 'open'],
  [Term.BETWEEN_DEPRECATED, 'right_bound', [table, null, 5], 'closed'],
  [Term.SLICE, 'left_bound', [rows, 0, 2], 'open'],
  [Term.SLICE, 'right_bound', [rows, 0, 2], 'closed'],
  [Term.DURING, 'left_bound', [0, 0, 1].map((at) => [Term.EPOCH_TIME, [at]]), 'open'],
  [Term.DURING, 'right_bound', [1, 0, 1].map((at) => [Term.EPOCH_TIME, [at]]), 'closed'],
  [Term.FILTER, 'default', [rows, fn((x) => [Term.CONTAINS, [field(x, 'a'), 2]])], true],
  [Term.ORDER_BY, 'index', [table, 'id'], [Term.DESC, ['b']]],
  [Term.DISTINCT, 'index', [table], 'b'],
  [Term.UNION, 'interleave', [inOrder, array(2)], fn((x) => x)],
  [Term.EQ_JOIN, 'index', [array(6), fn((x) => x), table], 'b'],
  [Term.GET_ALL, 'index', [table, 6], 'b'],
  [Term.GROUP, 'index', [table, 'id'], 'b'],
  [Term.GROUP, 'multi', [rows, 'a'], true],
  [Term.MIN, 'index', [table], 'b'],
  [Term.MAX, 'index', [table], 'b'],
  [Term.FOLD, 'emit', [array(1, 2), 0, add], fn((_, __, sum) => array(sum), 3)],
  [Term.FOLD, 'final_emit', [array(1, 2), 0, add], fn((sum) => array(sum))],
  [Term.RANDOM, 'float', [7], true],
  [Term.ISO8601, 'default_timezone', ['2020-01-01T00:00:00'], '+01:00'],
  [Term.INSERT, 'return_changes', [table, { id: 9 }], true],
  [Term.INSERT, 'durability', [table, { id: 9 }], 'soft', 'durability'],
  [Term.INSERT, 'ignore_write_hook', [table, { id: 9 }], true, 'hook'],
  [Term.INSERT, 'conflict', [table, { id: 1, x: 1 }], 'replace'],
  [Term.UPDATE, 'return_changes', [get(1), { x: 1 }], true],
  [Term.UPDATE, 'durability', [get(1), { x: 1 }], 'soft', 'durability'],
  [Term.UPDATE, 'ignore_write_hook', [get(1), { x: 1 }], true, 'hook'],
  [Term.UPDATE, 'non_atomic', [get(1), { x: [Term.RANDOM, [9]] }], true],
  [Term.REPLACE, 'return_changes', [get(1), { id: 1 }], true],
  [Term.REPLACE, 'durability', [get(1), { id: 1 }], 'soft', 'durability'],
  [Term.REPLACE, 'ignore_write_hook', [get(1), { id: 1 }], true, 'hook'],
  [Term.REPLACE, 'non_atomic', [get(1), { id: 1, x: [Term.RANDOM, [9]] }], true],
  [Term.DELETE, 'return_changes', [get(1)], true],
  [Term.DELETE, 'durability', [get(1)], 'soft', 'durability'],
  [Term.DELETE, 'ignore_write_hook', [get(1)], true, 'hook'],
  [Term.TABLE_CREATE, 'primary_key', ['fresh'], 'key', config('fresh')],
  [Term.TABLE_CREATE, 'durability', ['fresh'], 'soft', config('fresh')],
  [Term.TABLE_CREATE, 'shards', ['fresh'], 2],
  [Term.TABLE_CREATE, 'replicas', ['fresh'], 2],
  [Term.TABLE_CREATE, 'primary_replica_tag', ['fresh'], 'other'],
  [Term.TABLE_CREATE, 'nonvoting_replica_tags', ['fresh'], array('other')],
  [Term.TABLE_CREATE, 'expire_at', ['fresh'], 'until', config('fresh')],
  [Term.RECONFIGURE, 'shards', [table], 2],
  [Term.RECONFIGURE, 'replicas', [table], 2],
  [Term.RECONFIGURE, 'primary_replica_tag', [table], 'other'],
  [Term.RECONFIGURE, 'nonvoting_replica_tags', [table], array('other')],
  [Term.RECONFIGURE, 'dry_run', [table], true],
  [Term.RECONFIGURE, 'emergency_repair', [table], 'unsafe_rollback'],
  [Term.RECONFIGURE, 'expire_at', [table], 'until'],
  [Term.WAIT, 'wait_for', [[Term.TABLE, ['half']]], 'ready_for_reads', [Term.NOW, []]],
  [Term.WAIT, 'timeout', [[Term.TABLE, ['half']]], 1],
  [Term.INDEX_CREATE, 'multi', [table, 'i'], true, [Term.INDEX_STATUS, [table, 'i']]],
  [Term.INDEX_CREATE, 'geo', [table, 'i'], true],
  [Term.INDEX_RENAME, 'overwrite', [table, 'b', 'c'], true],
];

/** A replica of the table `half` becomes ready after ten seconds. */
function completeLater({ environment }: Bench): void {
  const { report, server, catalog, nowMs: begunMs } = environment;
  const id = catalog.table('d-test', 'half')?.id ?? '';
  report.shards = async () => {
    const state = environment.nowMs > begunMs + 10_000 ? 'ready' : 'backfilling';
    return new Map([[id, [{ primary: server, replicas: [{ server, state }] }]]]);
  };
}

async function openBench(): Promise<Bench> {
  const bench = new Bench();
  await bench.table('t', [
    { id: 1, b: 6, c: 1 },
    { id: 2, b: 2, c: 1 },
    { id: 5, b: 5, c: 1 },
  ]);
  await bench.run([Term.INDEX_CREATE, [table, 'b']]);
  await bench.run([Term.INDEX_CREATE, [table, 'c']]);
  await bench.table('half', []);
  completeLater(bench);
  return bench;
}

/** What a query answers, fails with, or makes of something else. */
async function outcome(term: unknown, then: unknown): Promise<unknown> {
  const bench = await openBench();
  if (then === 'hook') {
    const refuse = fn(() => [Term.ERROR, ['hook']], 3);
    await bench.run([Term.SET_WRITE_HOOK, [table, refuse]]);
  }
  try {
    const answer = await bench.run(term);
    if (then === 'durability') return bench.environment.lastDurability;
    if (then === 'read mode') return bench.environment.lastReadMode;
    return Array.isArray(then) ? await bench.run(then) : answer;
  } catch (error) {
    return String(error);
  }
}

const declared = [...definitions].flatMap(([number, { options }]) =>
  Object.entries(options?.table ?? {}).map(([name, option]) => ({ number, name, option })),
);
const label = (number: number, name: string): string => `${termNames.get(number)}.${name}`;

describe('options of terms', () => {
  it('have an example each, unless they say that they change nothing', () => {
    const own = declared.filter(({ option }) => option.hasEffect);
    expect(own.map(({ number, name }) => label(number, name)).sort()).to.deep.equal(
      examples.map(([number, name]) => label(number, name)).sort(),
    );
  });

  for (const [number, name, args, value, then] of examples)
    it(`change something: ${label(number, name)}`, async () => {
      const [without, given] = [
        await outcome([number, args], then),
        await outcome([number, args, { [name]: value }], then),
      ];
      expect(given).not.to.deep.equal(without);
    });

  it('refuse what they may not hold', () => {
    const wrong = ['no such value', 5, [{}], { a: [] }] as const;
    for (const { number, name, option } of declared) {
      if (option.allowed.startsWith('any value') || name === 'interleave') continue;
      const refused = wrong.filter((value) => {
        try {
          option.read(value, name);
          return false;
        } catch {
          return true;
        }
      });
      expect(refused, label(number, name)).not.to.deep.equal([]);
    }
  });

  it('are refused by name when they do not exist, by every term', async () => {
    const bench = await openBench();
    for (const [number, { arity }] of definitions) {
      if (number === Term.ASC || number === Term.DESC) continue;
      const args = Array.from({ length: arity[0] }, () => 1);
      expect(await bench.failure([number, args, { no_such: 1 }])).to.deep.equal([
        0,
        'Unrecognized optional argument `no_such`.',
        ['no_such'],
      ]);
    }
    for (const [number, args] of [
      [Term.BRANCH, [true, 1, 2]],
      [Term.FUNCALL, [1]],
      [Term.AND, [true]],
      [Term.DEFAULT, [1, 2]],
      [Term.MAKE_ARRAY, []],
    ] as const)
      expect((await bench.failure([number, args, { no_such: 1 }]))[1]).to.equal(
        'Unrecognized optional argument `no_such`.',
      );
  });

  it('stand at their name when they are wrong, in the words of RethinkDB', async () => {
    const bench = await openBench();
    const refusals: readonly (readonly [unknown, string, string])[] = [
      [
        [Term.INSERT, [table, {}], { conflict: 'ignore' }],
        'Conflict option `ignore` unrecognized (options are "error", "replace" and "update").',
        'conflict',
      ],
      [
        [Term.DELETE, [table], { durability: 'wrong' }],
        'Durability option `wrong` unrecognized (options are "hard" and "soft").',
        'durability',
      ],
      [
        [Term.UPDATE, [table, {}], { return_changes: 'sometimes' }],
        "Invalid return_changes value `sometimes` (options are `true`, `false`, and `'always'`.)",
        'return_changes',
      ],
      [
        [Term.INSERT, [table, {}], { durability: 5 }],
        'Expected type STRING but found NUMBER.',
        'durability',
      ],
      [
        [Term.BETWEEN, [table, 1, 2], { left_bound: 'half' }],
        'Expected `open` or `closed` for optarg `left_bound` (got `"half"`).',
        'left_bound',
      ],
      [
        [Term.TABLE, ['t'], { read_mode: 'fake' }],
        'Read mode `fake` unrecognized (options are "majority", "single", and "outdated").',
        'read_mode',
      ],
      [
        [Term.WAIT, [table], { wait_for: 'never' }],
        "Unknown table readiness state: 'never', must be one of 'ready_for_outdated_reads', 'ready_for_reads', 'ready_for_writes', or 'all_replicas_ready'",
        'wait_for',
      ],
    ];
    for (const [term, message, place] of refusals)
      expect(await bench.failure(term)).to.deep.equal([3_000_000, message, [place]]);
  });
});

describe('options of a whole query', () => {
  it('hold for each term that has them and does not say otherwise', async () => {
    const bench = await openBench();
    const insert = (id: number, options: object): unknown => [
      Term.INSERT,
      [table, { id }],
      options,
    ];
    const given = { return_changes: true, durability: 'soft' };
    expect(await bench.run(insert(10, {}), given)).to.have.property('changes');
    expect(bench.environment.lastDurability).to.equal('soft');
    const own = insert(11, { return_changes: false, durability: 'hard' });
    expect(await bench.run(own, given)).not.to.have.property('changes');
    expect(bench.environment.lastDurability).to.equal('hard');
  });

  it('are refused when they do not exist or hold what they may not', async () => {
    const bench = await openBench();
    const refused: readonly (readonly [GlobalOptions, string])[] = [
      [{ no_such: 1 }, 'Unrecognized global optional argument `no_such`.'],
      [{ array_limit: 0 }, 'Illegal array size limit `0`.  (Must be >= 1.)'],
      [{ array_limit: 1_000_001 }, 'Illegal array size limit `1000001`.  (Must be <= 1000000.)'],
      [{ max_query_seconds: -1 }, 'max_query_seconds must be positive (got `-1`).'],
      [{ max_query_seconds: 'x' }, 'Expected type NUMBER but found STRING.'],
      [
        { max_query_seconds: [Term.ADD, [1, 1]] },
        'The global optional argument `max_query_seconds` must be a number.',
      ],
      [{ array_limit: 'x' }, 'Expected type NUMBER but found STRING.'],
      [{ changefeed_queue_size: 0 }, 'Illegal changefeed queue size `0`.  (Must be >= 1.)'],
      [{ max_batch_rows: 0 }, 'max_batch_rows must be at least 1 (got `0`).'],
      [{ max_batch_seconds: -1 }, 'max_batch_seconds must be positive (got `-1`).'],
      [
        { use_outdated: true },
        'The `use_outdated` optarg is no longer supported.  Use the `read_mode` optarg instead.',
      ],
      [
        { array_limit: [Term.COUNT, [table]] },
        'The global optional argument `array_limit` must not read or write tables.',
      ],
    ];
    for (const [options, message] of refused)
      expect((await bench.failure(1, options))[1]).to.equal(message);
    expect((await bench.failure([Term.DELETE, [table]], { durability: 'no' }))[1]).to.equal(
      'Durability option `no` unrecognized (options are "hard" and "soft").',
    );
  });

  it('may be computed', async () => {
    const bench = await openBench();
    const limit = { array_limit: [Term.ADD, [1, 1]] };
    expect(await bench.run(array(1, 2), limit)).to.deep.equal([1, 2]);
    expect((await bench.failure(array(1, 2, 3), limit))[0]).to.equal(2_000_000);
  });

  it('all have a line in the reference', () => {
    for (const { about, allowed } of Object.values(globalOptionTable))
      expect(about.length * allowed.length).to.be.greaterThan(0);
  });

  it('cut what an answer has too much of, and say so', async () => {
    const bench = await openBench();
    const many = array(...[1, 2, 3].map((n) => ({ n })));
    const answer = await bench.run([Term.INSERT, [table, many], { return_changes: true }], {
      array_limit: 3,
    });
    expect(answer).not.to.have.property('warnings');
    const update = [Term.UPDATE, [table, { seen: true }], { return_changes: true }];
    const cut = (await bench.run(update, { array_limit: 4 })) as Record<string, unknown>;
    expect(cut).to.deep.include({
      replaced: 6,
      warnings: ['Too many changes, array truncated to 4.'],
    });
    expect(cut['changes']).to.have.length(4);
  });
});
