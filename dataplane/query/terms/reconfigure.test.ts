import { expect } from 'chai';
import { Bench } from '../testing/run.ts';

describe('reconfigure', () => {
  const bench = new Bench();
  const table = [15, ['docs']];
  before(() => bench.table('docs', []));

  it('accepts what a table is already', async () => {
    expect(await bench.run([176, [table], { shards: 1, replicas: 1 }])).to.include({
      reconfigured: 1,
    });
    expect(await bench.run([176, [table], { dry_run: true }])).to.include({ reconfigured: 0 });
    expect(await bench.run([179, [[14, ['test']]]])).to.include({ rebalanced: 1 });
  });

  it('sets the number of shards, and keeps it when it is not given', async () => {
    const count = [43, [[170, [[174, [table]], 'shards']]]];
    await bench.run([176, [table], { shards: 3, replicas: 1, dry_run: true }]);
    expect(await bench.run(count)).to.equal(1);
    await bench.run([176, [table], { shards: 3, replicas: 1 }]);
    expect(await bench.run(count)).to.equal(3);
    await bench.run([176, [table], { replicas: 1 }]);
    expect(await bench.run(count)).to.equal(3);
    await bench.run([176, [table], { shards: 1, replicas: 1 }]);
  });

  const failures: readonly (readonly [object, number, string])[] = [
    [{ shards: 0 }, 3_000_000, 'Every table must have at least one shard.'],
    [{ shards: 65 }, 4_100_000, 'Maximum number of shards is 64.'],
    [{ replicas: -1 }, 3_000_000, "Can't have a negative number of replicas"],
    [
      { replicas: { default: 1 } },
      3_000_000,
      '`primary_replica_tag` must be specified when `replicas` is an OBJECT.',
    ],
    [
      { replicas: 1, primary_replica_tag: 'a' },
      3_000_000,
      '`replicas` must be an OBJECT if `primary_replica_tag` is specified.',
    ],
    [
      { emergency_repair: 'x' },
      3_000_000,
      '`emergency_repair` should be "unsafe_rollback" or "unsafe_rollback_or_erase"',
    ],
    [{ emergency_repair: 'unsafe_rollback' }, 4_100_000, "This table doesn't need to be repaired."],
  ];
  for (const [options, type, message] of failures) {
    it(`refuses ${JSON.stringify(options)}`, async () => {
      expect((await bench.failure([176, [table], options])).slice(0, 2)).to.deep.equal([
        type,
        message,
      ]);
    });
  }

  it('refuses more replicas than servers', async () => {
    const [type, message] = await bench.failure([176, [table], { replicas: 2 }]);
    expect([type, message.slice(0, 22)]).to.deep.equal([4_100_000, "Can't put 2 replicas o"]);
  });

  it('sets and takes away the field whose time ends documents, and says so', async () => {
    const change = async (expireAt: unknown, options = {}): Promise<unknown[]> => {
      const answer = (await bench.run([176, [table], { expire_at: expireAt, ...options }])) as {
        config_changes: { old_val: object; new_val: object }[];
      };
      return answer.config_changes.flatMap(({ old_val: old, new_val: next }) => [
        (old as { expire_at?: string }).expire_at,
        (next as { expire_at?: string }).expire_at,
      ]);
    };
    expect(await change('ends', { dry_run: true })).to.deep.equal([undefined, 'ends']);
    expect(await change('ends')).to.deep.equal([undefined, 'ends']);
    expect(await bench.run([174, [table]])).to.include({ expire_at: 'ends' });
    expect(await bench.run([77, [table]])).to.deep.equal([]);
    await bench.run([176, [table], { shards: 1, replicas: 1 }]);
    expect(await change('other')).to.deep.equal(['ends', 'other']);
    expect(await change(null)).to.deep.equal(['other', undefined]);
    expect(await bench.run([174, [table]])).not.to.have.property('expire_at');
    await bench.run([60, ['sessions'], { expire_at: 'ends' }]);
    expect(await bench.run([174, [[15, ['sessions']]]])).to.include({ expire_at: 'ends' });
  });

  it('refuses what cannot be such a field', async () => {
    const wrong = 'Expected type STRING but found NUMBER.';
    expect((await bench.failure([176, [table], { expire_at: 5 }]))[1]).to.equal(wrong);
    expect((await bench.failure([60, ['wrong'], { expire_at: 5 }]))[1]).to.equal(wrong);
    const [, message] = await bench.failure([176, [[14, ['test']]], { expire_at: 'ends' }]);
    expect(message).to.contain("Can't set `expire_at` of an entire database at once");
    const system = [15, [[14, ['rethinkdb']], 'table_config']];
    const [, special] = await bench.failure([176, [system], { expire_at: 'ends' }]);
    expect(special).to.equal(
      "Database `rethinkdb` is special; you can't configure the tables in it.",
    );
  });
});
