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

  const failures: readonly (readonly [object, number, string])[] = [
    [{ shards: 0 }, 3_000_000, 'Every table must have at least one shard.'],
    [
      { shards: 2 },
      4_100_000,
      'This version keeps a table in one shard: leave out `shards`, or set it to 1.',
    ],
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
});
