import { expect } from 'chai';
import { Bench } from '../testing/run.ts';

describe('where a new table lies', () => {
  const bench = new Bench();
  const create = (name: string, options: object): Promise<unknown> =>
    bench.run([60, [name], options]);

  it('takes server tags without a number of replicas, and shards', async () => {
    const cases = [
      { primary_replica_tag: 'default' },
      { nonvoting_replica_tags: [2, ['default']] },
      { shards: 2, replicas: 1 },
      { primary_key: null },
    ];
    for (const [at, options] of cases.entries())
      expect(await create(`t${at}`, options)).to.include({ tables_created: 1 });
  });

  it('refuses replicas that are not to vote, and takes the tag of a primary replica alone', async () => {
    const placed = (replicas: number): object => ({
      replicas: { default: replicas },
      primary_replica_tag: 'default',
      nonvoting_replica_tags: [2, ['default']],
    });
    const [, message] = await bench.failure([60, ['x'], placed(2)]);
    expect(message).to.contain('in server tag `default` cannot be non-voting');
    expect(await create('alone', placed(1))).to.include({ tables_created: 1 });
  });

  it('refuses tags that no server has', async () => {
    const [, message] = await bench.failure([60, ['x'], { primary_replica_tag: 'foo' }]);
    expect(message).to.contain("Can't use server tag `foo` for primary replicas");
  });
});
