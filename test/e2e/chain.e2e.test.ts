import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { stringify } from 'yaml';
import { haltCluster, startCluster } from '../../k8s/local/cluster/cluster.ts';
import { datasets } from '../../k8s/local/datasets.ts';
import { datasetDatabase, loadDatasets } from '../../k8s/local/load-datasets.ts';
import { applySample, installCharts } from '../../k8s/local/up/install.ts';
import { helm } from '../../k8s/local/up/target.ts';
import { kubectlOf, podField, refusalOf, until } from './cluster-under-test.ts';
import { connectWhenServing, provideImage, root, startPhoton } from './photon-under-test.ts';
import type { Photon } from './photon-under-test.ts';

/** The whole chain, as a user meets it: charts, manifest, operator, pod, unmodified driver. */
describe('a PhotonCluster on a real Kubernetes', () => {
  let photon: Photon;
  let connection: Connection;

  const kubectl = (args: readonly string[], input?: string): Promise<string> =>
    kubectlOf(photon.cluster)([...args, '--namespace', photon.namespace], input);
  const refusal = (args: readonly string[], input?: string): Promise<string> =>
    refusalOf(photon.cluster)([...args, '--namespace', photon.namespace], input);
  const podFieldOf = (jsonpath: string): Promise<string> =>
    podField(photon.cluster, photon.pod, jsonpath, photon.namespace);

  /** Lets the cluster's manifest pass through `change`, and applies it strictly. */
  async function manifest(change: (spec: Record<string, unknown>) => object): Promise<string> {
    const text = await kubectl(['get', 'photoncluster', photon.name, '--output', 'json']);
    const { apiVersion, kind, metadata, spec } = JSON.parse(text) as {
      apiVersion: string;
      kind: string;
      metadata: { name: string };
      spec: Record<string, unknown>;
    };
    return stringify({ apiVersion, kind, metadata: { name: metadata.name }, spec: change(spec) });
  }

  const strict = ['--validate=strict', '--filename', '-'];
  const serverSide = ['apply', '--server-side', '--force-conflicts', ...strict];

  async function reconnect(): Promise<void> {
    await connection?.close({ noreplyWait: false }).catch(() => undefined);
    connection = await connectWhenServing(photon);
  }

  before(async function start() {
    this.timeout(300_000);
    photon = await startPhoton(`e2e-chain-${process.pid}`);
    connection = await connectWhenServing(photon);
  });

  after(async function stop() {
    this.timeout(60_000);
    await connection?.close({ noreplyWait: false }).catch(() => undefined);
    await photon?.stop();
  });

  it('shows its state in one line', async () => {
    const [header = '', line = ''] = (await kubectl(['get', 'photon'])).split('\n');
    expect(header).to.match(/NAME +READY +AVAILABLE +VERSION +NODES +AGE/);
    expect(line).to.match(/^quickstart +True +True +0\.1\.0 +1\/1 /);
  });

  it('takes real documents through the driver, and loading them twice changes nothing', async function load() {
    this.timeout(180_000);
    const first = await loadDatasets(connection, () => undefined);
    expect(first.documents).to.be.greaterThan(20_000);
    await loadDatasets(connection, () => undefined);
    for (const dataset of datasets) {
      const count = await r.db(datasetDatabase).table(dataset.table).count().run(connection);
      expect(count, dataset.table).to.equal(dataset.documents().length);
    }
  });

  it('finds its documents again after the pod was deleted', async function deletion() {
    this.timeout(120_000);
    await r.db('test').tableCreate('notes').run(connection);
    await r.db('test').table('notes').insert({ id: 'one', text: 'kept' }).run(connection);
    const uid = await podFieldOf('{.metadata.uid}');
    await kubectl(['delete', 'pod', photon.pod]);
    await until(
      'another pod to be ready',
      async () => {
        const state = '{.metadata.uid} {.status.containerStatuses[0].ready}';
        const [now, ready] = (await podFieldOf(state)).split(' ');
        return now !== uid && ready === 'true';
      },
      90_000,
    );
    await reconnect();
    expect(await r.db('test').table('notes').get('one').run(connection)).to.deep.equal({
      id: 'one',
      text: 'kept',
    });
  });

  it('finds its documents again after the whole cluster was shut down and started', async function reboot() {
    this.timeout(180_000);
    const { instance } = photon.cluster.layout;
    await haltCluster(instance);
    await startCluster({ instance, nodes: 1, kube: photon.cluster.kube, temporary: true });
    await photon.waitUntilReady();
    await reconnect();
    expect(await r.db('test').table('notes').count().run(connection)).to.equal(1);
  });

  it('repairs what somebody else has changed or deleted', async () => {
    await kubectl(['delete', 'service', `${photon.name}-nodes`]);
    await kubectl(['scale', 'statefulset', photon.statefulSet, '--replicas=0']);
    await until('the service and the replicas to be back', async () => {
      const services = await kubectl(['get', 'services', '--output', 'name']);
      const replicas = await kubectl([
        'get',
        'statefulset',
        photon.statefulSet,
        '--output=jsonpath={.spec.replicas}',
      ]);
      return services.includes(`${photon.name}-nodes`) && replicas === '1';
    });
    await photon.waitUntilReady();
  });

  it('refuses a manifest that cannot work, in words that say what to write', async () => {
    const pools = (change: object) => (spec: Record<string, unknown>) => ({
      ...spec,
      pools: (spec['pools'] as object[]).map((pool) => ({ ...pool, ...change })),
    });
    const said = async (change: (spec: Record<string, unknown>) => object): Promise<string> =>
      refusal(serverSide, await manifest(change));
    expect(await said(pools({ replicas: 4 }))).to.contain('has 1, 3 or 5 nodes');
    expect(await said((spec) => ({ ...spec, sharding: true }))).to.match(/unknown field|sharding/);
    expect(await said(pools({ roles: ['king'] }))).to.contain('king');
  });

  it('refuses to scale a pool with data to a number that has no majority of its own', async () => {
    const [pool = ''] = (await kubectl(['get', 'photonpools', '--output', 'name'])).split('\n');
    expect(await refusal(['scale', pool, '--replicas=2'])).to.contain('has 1, 3 or 5 nodes');
    const replicas = await kubectl(['get', pool, '--output=jsonpath={.spec.replicas}']);
    expect(replicas).to.equal('1');
  });

  it('brings a change of resources to the pod', async function resources() {
    this.timeout(120_000);
    const change = (spec: Record<string, unknown>): object => ({
      ...spec,
      pools: (spec['pools'] as { resources?: { requests?: object } }[]).map((pool) => ({
        ...pool,
        resources: {
          ...pool.resources,
          requests: { ...pool.resources?.requests, cpu: '51m' },
        },
      })),
    });
    await kubectl(serverSide, await manifest(change));
    await until(
      'the pod to have the new request',
      async () => (await podFieldOf('{.spec.containers[0].resources.requests.cpu}')) === '51m',
      90_000,
    );
    await photon.waitUntilReady();
    await reconnect();
    expect(await r.db('test').table('notes').count().run(connection)).to.equal(1);
  });

  it('brings a change of the configuration to the pod', async function configuration() {
    this.timeout(120_000);
    const change = (spec: Record<string, unknown>): object => ({
      ...spec,
      config: { ...(spec['config'] as object | undefined), 'log-level': 'debug' },
    });
    const before = await podFieldOf('{.metadata.uid}');
    await kubectl(serverSide, await manifest(change));
    await until(
      'another pod',
      async () => {
        const uid = await podFieldOf('{.metadata.uid}');
        return uid !== '' && uid !== before;
      },
      90_000,
    );
    await photon.waitUntilReady();
    await reconnect();
    expect(await r.db('test').table('notes').count().run(connection)).to.equal(1);
  });

  it('runs a source file that was changed, after the next image', async function changedSource() {
    this.timeout(180_000);
    const copy = mkdtempSync(join(tmpdir(), 'photondb-source-'));
    try {
      for (const name of ['dataplane', 'operator', 'crds', 'package.json', 'package-lock.json']) {
        cpSync(join(root, name), join(copy, name), { recursive: true });
      }
      symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
      const main = join(copy, 'dataplane', 'node', 'main.ts');
      const line = `console.error('the changed source');\n`;
      writeFileSync(main, line + readFileSync(main, 'utf8'));
      const image = await provideImage(photon.cluster, copy);
      expect(image.tag).to.not.equal(photon.installation.image.tag);
      await applySample(photon.target, { ...photon.installation, image });
      await until(
        'the pod to run the changed source',
        async () =>
          (await kubectl(['logs', photon.pod]).catch(() => '')).includes('the changed source'),
        120_000,
      );
      await photon.waitUntilReady();
      await reconnect();
      expect(await r.db('test').table('notes').count().run(connection)).to.equal(1);
    } finally {
      rmSync(copy, { recursive: true });
    }
  });

  it('refuses a wrong password', async () => {
    expect(await photon.sayOfPassword('wrong')).to.match(/[Ww]rong password/);
  });

  it('lives on when the operator and its types are uninstalled, and is taken over again', async function uninstall() {
    this.timeout(180_000);
    const uid = await podFieldOf('{.metadata.uid}');
    const inNamespace = ['--namespace', photon.installation.operatorNamespace];
    await helm(photon.target, ['uninstall', 'photondb-operator', '--wait', ...inNamespace]);
    await helm(photon.target, ['uninstall', 'photondb-crds', ...inNamespace]);
    expect(await r.db('test').table('notes').count().run(connection)).to.equal(1);
    expect(await kubectl(['get', 'photon', '--output', 'name'])).to.contain(photon.name);
    await installCharts(photon.target, photon.installation);
    await photon.waitUntilReady();
    expect(await podFieldOf('{.metadata.uid}')).to.equal(uid);
  });

  it('keeps its volume and its password when it is deleted', async function removal() {
    this.timeout(120_000);
    await kubectl(['delete', 'photoncluster', photon.name, '--timeout=60s']);
    await until(
      'its pods to go',
      async () => (await kubectl(['get', 'pods', '--output', 'name'])) === '',
      60_000,
    );
    expect(await kubectl(['get', 'persistentvolumeclaims', '--output', 'name'])).to.contain(
      photon.pod,
    );
    await applySample(photon.target, photon.installation);
    await photon.waitUntilReady();
    await reconnect();
    expect(await r.db('test').table('notes').get('one').run(connection)).to.have.property(
      'text',
      'kept',
    );
  });
});
