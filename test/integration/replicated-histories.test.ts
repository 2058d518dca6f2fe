import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { RawConnection, queryText } from '../bench/raw-connection.ts';
import { LocalClusterProcesses } from '../drivers/local-cluster.ts';
import { RegisterLoad } from './testing/register-load.ts';

/**
 * Histories of clients at three real nodes, while nodes are killed and paused: each register alone is linearizable. A
 * table with more shards than nodes has leaders on all of them, so that each node that fails leads some.
 */
const nodes = ['node1', 'node2', 'node3'];
const keys = Array.from({ length: 9 }, (_, at) => `key ${at}`);
const shards = 6;
const pollMs = 50;

describe('registers of a cluster of three processes', function histories() {
  this.timeout(240_000);
  let cluster: LocalClusterProcesses;
  let load: RegisterLoad;
  const gone = new Set<string>();

  before(async () => {
    cluster = await LocalClusterProcesses.start(['--query-workers', '1']);
    const connection = await RawConnection.open(cluster.driver('node1'));
    const created = queryText([60, [[14, ['test']], 'registers'], { shards, replicas: 3 }]);
    // Until the cluster knows three nodes with data.
    while ((await connection.run(created).catch(() => undefined)) === undefined)
      await sleep(pollMs);
    connection.close();
    load = new RegisterLoad(
      nodes.map((name) => ({
        name,
        address: () => (gone.has(name) ? undefined : cluster.driver(name)),
      })),
      { keys },
    );
  });

  after(() => cluster.close());

  const othersThan = (node: string): string[] => nodes.filter((each) => each !== node);

  for (const node of nodes) {
    it(`goes on at the other nodes when ${node} is killed, and at all of them when it is back`, async () => {
      await load.progress(20);
      cluster.signal(node, 'SIGKILL');
      gone.add(node);
      await load.progress(40, othersThan(node));
      await cluster.restart(node);
      gone.delete(node);
      await load.progress(20);
    });
  }

  for (const node of nodes) {
    it(`goes on at the other nodes while ${node} is paused, which then answers what it was asked before`, async () => {
      await load.progress(10);
      cluster.signal(node, 'SIGSTOP');
      try {
        await load.progress(60, othersThan(node));
      } finally {
        cluster.signal(node, 'SIGCONT');
      }
      await load.progress(20);
    });
  }

  it('has a history that one order of the operations of each register explains', async () => {
    await load.end();
    for (const key of keys) expect(load.historyOf(key).length).to.be.greaterThan(20);
    load.check();
  });
});
