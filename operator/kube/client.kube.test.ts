import { expect } from 'chai';
import { KubeClient } from './client.ts';
import { isKubeError } from './errors.ts';
import type { KubeObject, Resource } from './object.ts';
import { resources } from './object.ts';
import type { TestNamespace } from './testing/control-plane.ts';
import { controlPlaneConfig, testNamespace } from './testing/control-plane.ts';
import type { WatchEvent } from './watch-events.ts';

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

interface Pod extends KubeObject {
  readonly status?: { readonly phase?: string; readonly conditions?: readonly object[] };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (isKubeError(error)) return error.code;
    throw error;
  }
  return 'no error';
}

const definitions: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const endsAt = performance.now() + 10_000;
  while (!(await holds())) {
    if (performance.now() > endsAt) throw new Error('timed out');
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}

describe('client against a real API server', () => {
  let place: TestNamespace;
  let client: KubeClient;
  let namespace = '';

  const named = (name: string): { namespace: string; name: string } => ({ namespace, name });

  function configMap(name: string, data: Record<string, string>): ConfigMap {
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: named(name), data };
  }

  function pod(name: string, labels: Record<string, string> = {}): KubeObject & { spec: object } {
    const container = { name: 'main', image: 'none' };
    const metadata = { ...named(name), labels };
    const spec = { containers: [container], terminationGracePeriodSeconds: 0 };
    return { apiVersion: 'v1', kind: 'Pod', metadata, spec };
  }

  before(async () => {
    place = await testNamespace('kube-client');
    ({ client, namespace } = place);
    // The controller manager makes it a moment later, and no pod is admitted without it.
    await eventually(
      async () => (await client.find(resources.serviceAccounts, named('default'))) !== undefined,
    );
  });

  after(() => place.remove());

  it('reads the version of a server that is new enough', async () => {
    expect(await client.serverVersion()).to.match(/^v1\.\d+\.\d+/);
  });

  it('creates once, reads, and deletes only the object that is meant', async () => {
    await client.create(resources.configMaps, configMap('once', { a: '1' }));
    expect(await codeOf(client.create(resources.configMaps, configMap('once', {})))).to.equal(
      'kube.already_exists',
    );
    const read = await client.get<ConfigMap>(resources.configMaps, named('once'));
    expect(read).to.deep.include({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } });
    const other = { uid: '00000000-0000-0000-0000-000000000000' };
    expect(await codeOf(client.remove(resources.configMaps, named('once'), other))).to.equal(
      'kube.conflict',
    );
    const { uid = '', resourceVersion = '' } = read.metadata;
    await client.remove(resources.configMaps, named('once'), { uid, resourceVersion });
    expect(await client.find(resources.configMaps, named('once'))).to.equal(undefined);
    await client.remove(resources.configMaps, named('once'));
  });

  it('applies: takes away its own fields, and leaves those of others', async () => {
    await client.apply(resources.configMaps, configMap('shared', { a: '1', b: '2' }));
    await client.mergePatch(resources.configMaps, named('shared'), { data: { theirs: 'x' } });
    const applied = await client.apply<ConfigMap>(
      resources.configMaps,
      configMap('shared', { a: '3' }),
    );
    expect(applied.data).to.deep.equal({ a: '3', theirs: 'x' });
    const again = await client.apply<ConfigMap>(
      resources.configMaps,
      configMap('shared', { a: '3' }),
    );
    expect(again.metadata.resourceVersion).to.equal(applied.metadata.resourceVersion);
  });

  it('gets an error when it applies a field that the server does not know', async () => {
    const wrong = { ...configMap('strict', {}), notAField: true };
    expect(await codeOf(client.apply(resources.configMaps, wrong))).to.equal('kube.invalid');
    expect(await client.find(resources.configMaps, named('strict'))).to.equal(undefined);
  });

  it('tries without doing: a dry run is answered and nothing is stored', async () => {
    const object = configMap('dry', { a: '1' });
    const answer = await client.apply<ConfigMap>(resources.configMaps, object, { dryRun: true });
    expect(answer.metadata.uid).to.be.a('string');
    expect(await client.find(resources.configMaps, named('dry'))).to.equal(undefined);
  });

  it('patches conditionally, by a test operation or by the version', async () => {
    const made = await client.apply<ConfigMap>(resources.configMaps, configMap('cond', { a: '1' }));
    const operations = [
      { op: 'test', path: '/data/a', value: '2' },
      { op: 'replace', path: '/data/a', value: '3' },
    ] as const;
    expect(
      await codeOf(client.patchJson(resources.configMaps, named('cond'), operations)),
    ).to.equal('kube.invalid');
    const { resourceVersion } = made.metadata;
    const patch = { metadata: { resourceVersion }, data: { a: '4' } };
    await client.mergePatch(resources.configMaps, named('cond'), patch);
    expect(await codeOf(client.mergePatch(resources.configMaps, named('cond'), patch))).to.equal(
      'kube.conflict',
    );
  });

  it('writes the status of an object without touching the rest', async () => {
    await client.create(resources.pods, pod('status'));
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
    const object = { apiVersion: 'v1', kind: 'Pod', metadata: named('status'), status };
    const written = await client.applyStatus<Pod>(resources.pods, object);
    expect(written.status?.phase).to.equal('Running');
    expect(written).to.have.nested.property('spec.containers');
  });

  it('reads and writes the scale of a set', async () => {
    const labels = { app: 'scaled' };
    const spec = {
      serviceName: 'none',
      replicas: 0,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'none' }] } },
    };
    const set = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: named('scaled'), spec };
    await client.apply(resources.statefulSets, set);
    // The controller writes its first status on its own: from then on the set does not change.
    const observed = async (): Promise<unknown> => {
      const found = await client.get(resources.statefulSets, named('scaled'));
      return (found as { status?: { observedGeneration?: number } }).status?.observedGeneration;
    };
    for (const deadline = Date.now() + 10_000; (await observed()) !== 1;) {
      expect(Date.now(), 'the controller has seen the set').to.be.lessThan(deadline);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const scale = await client.getScale(resources.statefulSets, named('scaled'));
    expect(scale.spec?.replicas ?? 0).to.equal(0);
    expect(scale.status?.selector).to.equal('app=scaled');
    const wanted = { ...scale, spec: { replicas: 2 } };
    const answer = await client.putScale(resources.statefulSets, wanted);
    expect(answer.spec?.replicas).to.equal(2);
    expect(await codeOf(client.putScale(resources.statefulSets, wanted))).to.equal('kube.conflict');
  });

  it('evicts a pod as its disruption budget allows', async () => {
    const labels = { app: 'guarded' };
    await client.create(resources.pods, pod('guarded', labels));
    const ready = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
    const spec = { maxUnavailable: 0, selector: { matchLabels: labels } };
    const budget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: named('b') };
    await client.mergePatch(
      resources.pods,
      named('guarded'),
      { status: ready },
      { subresource: 'status' },
    );
    await client.apply(resources.podDisruptionBudgets, { ...budget, spec } as KubeObject);
    expect(await codeOf(client.evict(named('guarded')))).to.equal('kube.disruption_budget');
    await client.remove(resources.podDisruptionBudgets, named('b'));
    expect(await codeOf(client.evict(named('guarded'), { uid: 'other' }))).to.equal(
      'kube.conflict',
    );
    await client.evict(named('guarded'));
    await client.evict(named('guarded'));
    await client.remove(resources.pods, named('guarded'), { gracePeriodSeconds: 0 });
    expect(await client.find(resources.pods, named('guarded'))).to.equal(undefined);
  });

  it('lists in pages what does not fit one', async () => {
    const names = Array.from({ length: 520 }, (_, index) => `many-${index}`);
    await Promise.all(
      names.map((name) =>
        client.create(resources.secrets, {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { ...named(name), labels: { many: 'yes' } },
        }),
      ),
    );
    const scope = { namespace, labelSelector: 'many=yes' };
    const { items } = await client.list(resources.secrets, scope);
    expect(new Set(items.map(({ metadata }) => metadata.name)).size).to.equal(520);
    expect(items[0]).to.include({ apiVersion: 'v1', kind: 'Secret' });
  }).timeout(60_000);

  it('watches from a version on: all changes, in order, until the server ends the watch', async () => {
    const quick = new KubeClient(await controlPlaneConfig(), {
      timeouts: { watchSecondsMin: 4, watchSecondsMax: 4 },
    });
    const { resourceVersion } = await quick.list(resources.configMaps, { namespace });
    const events: WatchEvent<ConfigMap>[] = [];
    const watching = (async (): Promise<void> => {
      const scope = { namespace, resourceVersion };
      for await (const event of quick.watch<ConfigMap>(resources.configMaps, scope)) {
        events.push(event);
      }
    })();
    await client.apply(resources.configMaps, configMap('watched', { a: '1' }));
    await client.apply(resources.configMaps, configMap('watched', { a: '2' }));
    await client.remove(resources.configMaps, named('watched'));
    await watching;
    const types = events.map(({ type }) => type);
    expect(types.slice(0, 3)).to.deep.equal(['ADDED', 'MODIFIED', 'DELETED']);
    // The server says at the end of a watch up to where it has told everything.
    expect(types.at(-1)).to.equal('BOOKMARK');
    await quick.close();
  });

  it('gets an error when a watch begins before what the server remembers', async () => {
    // A kind that is younger than version 1: nobody remembers it so far back.
    const group = `${namespace}.test`;
    const things = { group, version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
    const name = `things.${group}`;
    const schema = { openAPIV3Schema: { type: 'object' } };
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'things', kind: 'Thing' },
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    };
    await client.create(definitions, definition);
    try {
      await eventually(() =>
        client.list(things, { namespace }).then(
          () => true,
          () => false,
        ),
      );
      const scope = { namespace, resourceVersion: '1' };
      expect(await codeOf(client.watch(things, scope).next())).to.equal('kube.expired');
    } finally {
      await client.remove(definitions, { name });
    }
  });

  it('is refused with the right message', async () => {
    const config = await controlPlaneConfig();
    const credentials = async (): Promise<object> => ({
      ...(await config.credentials()),
      token: 'wrong',
    });
    const stranger = new KubeClient({ ...config, credentials });
    expect(await codeOf(stranger.get(resources.configMaps, named('a')))).to.equal(
      'kube.unauthorized',
    );
    await stranger.close();
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: named('powerless') };
    await client.apply(resources.serviceAccounts, account);
    const at = {
      resource: resources.serviceAccounts,
      name: named('powerless'),
      subresource: 'token',
    };
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const answer = await client.createSubresource(at, request);
    const { token } = (answer as { readonly status: { readonly token: string } }).status;
    const powerless = new KubeClient({
      ...config,
      credentials: async () => ({ ...(await config.credentials()), token }),
    });
    expect(await codeOf(powerless.list(resources.secrets, { namespace }))).to.equal(
      'kube.forbidden',
    );
    await powerless.close();
    const invalid = configMap('Not_A_Name', {});
    expect(await codeOf(client.create(resources.configMaps, invalid))).to.equal('kube.invalid');
  });
});
