import { expect } from 'chai';
import { systemClock as clock } from '../controller/clock.ts';
import { Informer } from '../controller/informer.ts';
import { KubeClient } from './client.ts';
import { KubeListWatch } from './list-watch.ts';
import type { KubeObject } from './object.ts';
import { resources } from './object.ts';
import { BadNetwork } from './testing/bad-network.ts';
import type { TestNamespace } from './testing/control-plane.ts';
import { controlPlaneConfig, testNamespace } from './testing/control-plane.ts';
import { until } from './testing/quick-timing.ts';

interface ConfigMap extends KubeObject {
  readonly data: { readonly round: string };
}

const watched = ['configMaps', 'secrets', 'services', 'serviceAccounts', 'roles'] as const;

describe('caches behind a bad network', () => {
  let place: TestNamespace;
  let network: BadNetwork;
  let near: KubeClient;
  let informers: Informer<KubeObject>[] = [];
  let configMaps: Informer<ConfigMap>;
  /** What the handlers received, replayed into a map: it must equal the cache. */
  const told = new Map<string, string>();

  before(async () => {
    place = await testNamespace('bad-network');
    const config = await controlPlaneConfig();
    const { hostname, port } = new URL(config.server);
    network = new BadNetwork({ host: hostname, port: Number(port) });
    await network.start();
    const server = `https://127.0.0.1:${network.port}`;
    near = new KubeClient(
      { ...config, server, serverName: config.serverName ?? 'kubernetes' },
      {
        limits: { ratePerSecond: 1000, burst: 1000, inFlightMax: 4 },
        timeouts: { objectMs: 300, listMs: 500, watchIdleMs: 700 },
      },
    );
    const random = (): number => Math.random();
    const { namespace } = place;
    const sourceOf = <T extends KubeObject>(kind: (typeof watched)[number]): KubeListWatch<T> =>
      new KubeListWatch<T>(near, resources[kind], { namespace });
    configMaps = new Informer<ConfigMap>({ source: sourceOf('configMaps'), clock, random });
    configMaps.onChange(({ type, key, object }) => {
      if (type === 'deleted') told.delete(key);
      else told.set(key, `${object.metadata.uid} ${object.metadata.resourceVersion}`);
    });
    const others = watched
      .slice(1)
      .map((kind) => new Informer({ source: sourceOf(kind), clock, random }));
    informers = [configMaps, ...others] as Informer<KubeObject>[];
    for (const informer of informers) informer.start();
  });

  after(async () => {
    await Promise.all(informers.map((informer) => informer.stop()));
    await near.close();
    await network.stop();
    await place.remove();
  });

  /** Changes behind the informers' back: one object is new, one changes, one is recreated. */
  async function change(round: number): Promise<void> {
    const { client, namespace } = place;
    const write = (name: string): Promise<KubeObject> =>
      client.apply(resources.configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace, name },
        data: { round: String(round) },
      } as KubeObject);
    await client.remove(resources.configMaps, { namespace, name: 'recreated' });
    await Promise.all([write(`round-${round}`), write('same'), write('recreated')]);
    await client.remove(resources.configMaps, { namespace, name: `round-${round - 2}` });
  }

  async function expectTruth(): Promise<void> {
    const { client, namespace } = place;
    const { items } = await client.list<ConfigMap>(resources.configMaps, { namespace });
    const truth = items
      .map(
        ({ metadata }) =>
          `${namespace}/${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`,
      )
      .sort();
    const cached = (): string[] => [...told].map(([key, versions]) => `${key} ${versions}`).sort();
    await until('the cache is true', () => cached().join() === truth.join(), 15_000);
    expect(configMaps.list()).to.have.length(truth.length);
  }

  for (const [round, trouble] of ['cut', 'refuse', 'hang', 'cut', 'hang', 'refuse'].entries()) {
    it(`are true again after round ${round}: ${trouble}`, async () => {
      await change(round);
      if (trouble !== 'cut') network.mode = trouble as 'refuse' | 'hang';
      if (trouble !== 'hang') network.cut();
      await change(round + 100);
      await new Promise((resolve) => {
        setTimeout(resolve, 600);
      });
      network.mode = 'pass';
      await change(round + 200);
      await expectTruth();
    });
  }

  it('have not gathered connections, and leave none', async () => {
    await until('one connection for each watch, and a few more', () => network.connections <= 9);
    await Promise.all(informers.map((informer) => informer.stop()));
    await near.close();
    await until('no connection', () => network.connections === 0);
  });
});
