import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { RawConnection, queryText } from '../bench/raw-connection.ts';
import { LocalClusterProcesses } from '../drivers/local-cluster.ts';
import { checkRegister } from '../simulation/linearizability.ts';
import { RegisterClient } from './testing/register-clients.ts';

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
  let clients: RegisterClient[] = [];
  const gone = new Set<string>();

  before(async () => {
    cluster = await LocalClusterProcesses.start(['--query-workers', '1']);
    const connection = await RawConnection.open(cluster.driver('node1'));
    const created = queryText([60, [[14, ['test']], 'registers'], { shards, replicas: 3 }]);
    // Until the cluster knows three nodes with data.
    while ((await connection.run(created).catch(() => undefined)) === undefined)
      await sleep(pollMs);
    connection.close();
    clients = nodes.flatMap((node) =>
      [1, 2].map(
        (number) =>
          new RegisterClient(`${node} ${number}`, {
            keys,
            address: () => (gone.has(node) ? undefined : cluster.driver(node)),
          }),
      ),
    );
  });

  after(() => cluster.close());

  /** As many operations more were answered at each of these nodes. */
  async function progress(count: number, at: readonly string[] = nodes): Promise<void> {
    const own = clients.filter((_, place) => at.includes(nodes[Math.floor(place / 2)] ?? ''));
    const before = own.map(({ answered }) => answered);
    const isDone = (): boolean =>
      own.every(({ answered }, place) => answered >= (before[place] ?? 0) + count);
    while (!isDone()) await sleep(pollMs);
  }

  const othersThan = (node: string): string[] => nodes.filter((each) => each !== node);

  for (const node of nodes) {
    it(`goes on at the other nodes when ${node} is killed, and at all of them when it is back`, async () => {
      await progress(20);
      cluster.signal(node, 'SIGKILL');
      gone.add(node);
      await progress(40, othersThan(node));
      await cluster.restart(node);
      gone.delete(node);
      await progress(20);
    });
  }

  for (const node of nodes) {
    it(`goes on at the other nodes while ${node} is paused, which then answers what it was asked before`, async () => {
      await progress(10);
      cluster.signal(node, 'SIGSTOP');
      try {
        await progress(60, othersThan(node));
      } finally {
        cluster.signal(node, 'SIGCONT');
      }
      await progress(20);
    });
  }

  it('has a history that one order of the operations of each register explains', async () => {
    await Promise.all(clients.map((client) => client.end()));
    const history = clients.flatMap((client) => client.history);
    for (const key of keys) {
      const own = history.filter((operation) => operation.key === key);
      expect(own.length).to.be.greaterThan(20);
      expect(checkRegister(own).unexplained, key).to.deep.equal([]);
    }
  });
});
