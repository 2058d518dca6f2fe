import { expect } from 'chai';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { words } from '../../k8s/local/host/run.ts';
import { adminPassword, serviceAddress } from '../../k8s/local/up/install.ts';
import { kubectl } from '../../k8s/local/up/target.ts';
import { until } from './cluster-under-test.ts';
import { startPhoton } from './photon-under-test.ts';
import type { Photon } from './photon-under-test.ts';

/**
 * A cluster of one node with data grows to three, and loses its pods one after the other, gracefully and by force, a
 * volume, and its operator in a rolling restart, while a client writes through the Service. What was acknowledged is
 * there afterwards, once.
 */
const name = 'triple';
const pods = [0, 1, 2].map((ordinal) => `${name}-main-0-${ordinal}`);
const driverPort = 28015;
const formedMs = 240_000;
/** Until some pod takes a connection. */
const connectMs = formedMs;
/** Longer than a node waits for the leader of a shard. */
const answerMs = 15_000;

/** A connection to a pod that was removed ends without a packet: nobody answers, and nothing is refused. */
async function answered<T>(answer: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('no answer in time')), answerMs);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
  }
}

interface Written {
  readonly acknowledged: readonly number[];
  readonly failures: readonly string[];
}

describe('a cluster of three nodes with data', () => {
  let photon: Photon;
  let password = '';

  const run = (args: readonly string[]): Promise<string> =>
    kubectl(photon.target, [...args, '--namespace', photon.namespace]);
  const field = (object: string, path: string): Promise<string> =>
    run([...words`get ${object} --ignore-not-found`, `--output=jsonpath=${path}`]);

  async function connect(host?: string): Promise<Connection> {
    const address = host ?? (await serviceAddress(photon.target, photon.namespace, name));
    const options = { host: address, port: driverPort, user: 'admin', password, timeout: 5 };
    const connection = await r.connect(options);
    // A pod that ends resets it: the next query says so.
    connection.on('error', () => undefined);
    return connection;
  }

  async function connected(host?: string): Promise<Connection> {
    let connection: Connection | undefined;
    await until(
      'a driver port to answer',
      async () => {
        connection = await connect(host).catch(() => undefined);
        return connection !== undefined;
      },
      connectMs,
    );
    if (connection === undefined) throw new Error('unreachable');
    return connection;
  }

  const isReady = async (): Promise<boolean> => {
    const path =
      '{.metadata.generation} {range .status.conditions[?(@.type=="Ready")]}{.status} {.observedGeneration}{end}';
    const [generation, status, observed] = (await field(`photoncluster/${name}`, path)).split(' ');
    return status === 'True' && observed === generation;
  };
  /** Each node reports that its replicas are complete. */
  const complete = (): Promise<void> =>
    until(
      'every node to be healthy',
      async () => {
        const selector = `--selector=photondb.io/cluster=${name}`;
        const path = '--output=jsonpath={.items[*].status.health}';
        return (await run([...words`get photonnodes`, selector, path])) === 'Ready Ready Ready';
      },
      formedMs,
    );
  const ready = (): Promise<void> => until('the cluster to be ready', isReady, formedMs);

  async function deletePod(pod: string, ...flags: readonly string[]): Promise<void> {
    const before = await field(`pod/${pod}`, '{.metadata.uid}');
    await run([...words`delete pod ${pod} --wait=false`, ...flags]);
    await until(
      `a successor of pod ${pod}`,
      async () => ![before, ''].includes(await field(`pod/${pod}`, '{.metadata.uid}')),
      formedMs,
    );
    await ready();
    await complete();
  }

  /** Writes documents one after the other, on a new connection after each failure, while `work` runs. */
  async function writeDuring(from: number, work: () => Promise<void>): Promise<Written> {
    const acknowledged: number[] = [];
    const failures: string[] = [];
    const twice: string[] = [];
    const over = new AbortController();
    const write = async (): Promise<void> => {
      let connection = await connected();
      for (let id = from; !over.signal.aborted; id += 1) {
        try {
          const insert = r.db('test').table('t').insert({ id }).run(connection);
          const { inserted, first_error: first } = await answered(insert);
          const reason = String(first ?? '');
          if (inserted === 1) acknowledged.push(id);
          // No other write has this key: it was applied before.
          if (reason.includes('Duplicate primary key')) twice.push(`${id}: ${reason}`);
        } catch (error) {
          failures.push((error as Error).message);
          await answered(connection.close({ noreplyWait: false })).catch(() => undefined);
          connection = await connected();
        }
      }
      await connection.close();
    };
    const writing = write();
    try {
      // A fault that passes before the first write shows nothing.
      await until('a first write', () => acknowledged.length > 0, formedMs);
      await work();
    } finally {
      over.abort();
      await writing;
    }
    expect(twice).to.deep.equal([]);
    return { acknowledged, failures };
  }

  async function expectAll(ids: readonly number[]): Promise<void> {
    const connection = await connected();
    const found = await r.db('test').table('t').getField('id').coerceTo('array').run(connection);
    const there = new Set<unknown>(found);
    expect(ids.filter((id) => !there.has(id))).to.deep.equal([]);
    await connection.close();
  }

  async function apply(replicas: number): Promise<void> {
    const spec = {
      version: await field(`photoncluster/${photon.name}`, '{.spec.version}'),
      image: JSON.parse(await field(`photoncluster/${photon.name}`, '{.spec.image}')) as object,
      pools: [
        {
          name: 'main',
          roles: ['data', 'coordinator', 'consensus'],
          replicas,
          storage: { size: '1Gi' },
          resources: { requests: { cpu: '50m', memory: '256Mi' } },
        },
      ],
    };
    const metadata = { name, namespace: photon.namespace };
    const manifest = { apiVersion: 'photondb.io/v1alpha1', kind: 'PhotonCluster', metadata, spec };
    await kubectl(photon.target, words`apply --filename -`, JSON.stringify(manifest));
  }

  before(async function start() {
    this.timeout(420_000);
    photon = await startPhoton(`e2e-triple-${process.pid}`);
    await apply(1);
    await ready();
    password = await adminPassword(photon.target, photon.namespace, name);
  });

  after(async function stop() {
    this.timeout(60_000);
    await photon?.stop();
  });

  it('grows from one node to three without losing an acknowledged write', async function grows() {
    this.timeout(3 * formedMs);
    const connection = await connected();
    const options = { shards: 2 } as object;
    await r.db('test').tableCreate('t', options).run(connection);
    await r.db('test').table('t').wait().run(connection);
    await r.db('test').table('t').insert({ id: 'first' }).run(connection);
    await connection.close();
    const { acknowledged, failures } = await writeDuring(2_000_000, async () => {
      await apply(3);
      await ready();
      await complete();
    });
    expect(acknowledged.length, failures.slice(0, 5).join('; ')).to.be.greaterThan(0);
    await expectAll(acknowledged);
  });

  it('answers on each of its nodes', async function replicates() {
    this.timeout(180_000);
    for (const pod of pods) {
      const own = await connected(await field(`pod/${pod}`, '{.status.podIP}'));
      expect(await r.db('test').table('t').get('first').run(own), pod).to.deep.equal({
        id: 'first',
      });
      await own.close();
    }
  });

  it('loses no acknowledged write when its pods are deleted, one after the other', async function deleted() {
    this.timeout(4 * formedMs + 60_000);
    const { acknowledged, failures } = await writeDuring(0, async () => {
      for (const pod of pods) await deletePod(pod);
    });
    expect(acknowledged.length, failures.slice(0, 5).join('; ')).to.be.greaterThan(0);
    await expectAll(acknowledged);
  });

  it('loses no acknowledged write when a pod is killed', async function killed() {
    this.timeout(2 * formedMs + 60_000);
    const { acknowledged, failures } = await writeDuring(1_000_000, () =>
      deletePod(pods[0] ?? '', '--grace-period=0', '--force'),
    );
    expect(acknowledged.length, failures.slice(0, 5).join('; ')).to.be.greaterThan(0);
    await expectAll(acknowledged);
  });

  it('replaces a node whose volume is lost, and gives the former one up', async function lost() {
    this.timeout(3 * formedMs);
    const [, pod = ''] = pods;
    const before = await field(`photonnode/${pod}`, '{.status.id}');
    const { acknowledged, failures } = await writeDuring(3_000_000, async () => {
      await run(words`delete persistentvolumeclaim data-${pod} --wait=false`);
      await run(words`delete pod ${pod} --wait=false`);
      await until(
        `another identity of ${pod}`,
        async () => ![before, ''].includes(await field(`photonnode/${pod}`, '{.status.id}')),
        formedMs,
      );
      await complete();
      await ready();
    });
    expect(acknowledged.length, failures.slice(0, 5).join('; ')).to.be.greaterThan(0);
    await expectAll(acknowledged);
    const replaced = await field(`photoncluster/${name}`, '{.status.replaced[*].id}');
    expect(replaced).to.equal(before);
    const own = await connected(await field(`pod/${pod}`, '{.status.podIP}'));
    expect(await r.db('test').table('t').get('first').run(own)).to.deep.equal({ id: 'first' });
    await own.close();
  });

  it('ends a rolling restart whose operator is killed', async function operator() {
    this.timeout(3 * formedMs);
    const uids = (): Promise<readonly string[]> =>
      Promise.all(pods.map((pod) => field(`pod/${pod}`, '{.metadata.uid}')));
    const former = new Set(await uids());
    const restarted = async (): Promise<number> =>
      (await uids()).filter((uid) => uid !== '' && !former.has(uid)).length;
    const written = await writeDuring(5_000_000, async () => {
      await run(words`rollout restart statefulset/${name}-main-0`);
      await until('the first pod to be replaced', async () => (await restarted()) > 0, formedMs);
      const flags = words`--all --wait=false --grace-period=0 --force`;
      const { operatorNamespace } = photon.installation;
      await kubectl(photon.target, [
        ...words`delete pods --namespace ${operatorNamespace}`,
        ...flags,
      ]);
      await until(
        'all pods to be replaced',
        async () => (await restarted()) === pods.length,
        formedMs,
      );
      await ready();
      await complete();
    });
    await expectAll(written.acknowledged);
  });
});
