import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { sleep, systemClock as clock } from '../controller/clock.ts';
import type { ReconcileResult } from '../controller/controller.ts';
import { Controller } from '../controller/controller.ts';
import { EventRecorder } from '../controller/event-recorder.ts';
import { Informer } from '../controller/informer.ts';
import { LeaderElection } from '../controller/leader-election.ts';
import { WorkQueue } from '../controller/work-queue.ts';
import { KubeEventSink } from './event-sink.ts';
import { KubeLeaseStore } from './lease-store.ts';
import { KubeListWatch } from './list-watch.ts';
import type { KubeObject } from './object.ts';
import { resources } from './object.ts';
import type { TestNamespace } from './testing/control-plane.ts';
import { testNamespace } from './testing/control-plane.ts';
import { until } from './testing/quick-timing.ts';

const random = (): number => Math.random();

interface LeaseObject extends KubeObject {
  readonly spec: { readonly holderIdentity: string; readonly renewTime: string };
}

interface EventObject extends KubeObject {
  readonly series?: { readonly count: number };
  readonly note: string;
}

describe('controller parts against a real API server', () => {
  let place: TestNamespace;
  const never = new AbortController().signal;

  before(async () => {
    place = await testNamespace('kube-parts');
  });

  after(() => place.remove());

  it('elects one leader by a lease whose times the server takes, and hands over', async () => {
    const { client, namespace } = place;
    const name = { namespace, name: 'leader' };
    const leading: string[] = [];
    const candidate = (identity: string): { stop: () => Promise<unknown> } => {
      const stopper = new AbortController();
      const election = new LeaderElection({
        store: new KubeLeaseStore(client, name),
        identity,
        clock,
        random,
        leaseDurationMs: 3000,
        renewDeadlineMs: 2000,
        retryPeriodMs: 200,
      });
      const ended = election.run(async (signal) => {
        leading.push(identity);
        await sleep(clock, 60_000, signal);
      }, stopper.signal);
      return {
        stop: () => {
          stopper.abort();
          return ended;
        },
      };
    };
    const first = candidate(`first-${randomUUID()}`);
    await until('the first leads', () => leading.length === 1);
    const second = candidate(`second-${randomUUID()}`);
    await sleep(clock, 1000, never);
    expect(leading).to.have.length(1);
    const lease = await client.get<LeaseObject>(resources.leases, name);
    expect(lease.spec.holderIdentity).to.equal(leading[0]);
    expect(lease.spec.renewTime).to.match(/\.\d{6}Z$/);
    expect(await first.stop()).to.equal('stopped');
    await until('the second leads', () => leading.length === 2);
    expect(await second.stop()).to.equal('stopped');
    const released = await client.get<LeaseObject>(resources.leases, name);
    expect(released.spec.holderIdentity ?? '').to.equal('');
  });

  it('writes events that the server takes, and counts them on', async () => {
    const { client, namespace } = place;
    const outcomes: string[] = [];
    const recorder = new EventRecorder({
      sink: new KubeEventSink(client),
      clock,
      random,
      controller: 'photondb.io/operator',
      instance: 'test',
      observe: (observation) => outcomes.push(observation),
    });
    const regarding = { apiVersion: 'v1', kind: 'Pod', namespace, name: 'some-pod', uid: 'u1' };
    for (let repetition = 0; repetition < 3; repetition += 1) {
      const words = { reason: 'Restarted', action: 'DeletePod', note: 'It was outdated.' };
      recorder.emit({ regarding, type: 'Warning', ...words });
    }
    await until('the event is sent', () => outcomes.includes('sent'));
    await recorder.stop();
    expect(outcomes).to.deep.equal(['sent', 'counted']);
    const { items } = await client.list<EventObject>(resources.events, { namespace });
    const mine = items.filter(({ note }) => note === 'It was outdated.');
    expect(mine.map(({ series }) => series?.count)).to.deep.equal([3]);
  });

  it('keeps a cache true and reconciles what changes', async () => {
    const { client, namespace } = place;
    const queue = new WorkQueue(clock);
    const source = new KubeListWatch<KubeObject>(client, resources.configMaps, { namespace });
    const informer = new Informer<KubeObject>({ source, clock, random, indexedLabels: ['pool'] });
    informer.onChange(({ key }) => queue.add(key));
    const reconciled: string[] = [];
    const stopper = new AbortController();
    const running = new Controller({
      queue,
      clock,
      keys: () => [],
      reconcile: async (key): Promise<ReconcileResult> => {
        reconciled.push(`${key}:${informer.get(key)?.metadata.labels?.['pool'] ?? 'gone'}`);
        return { type: 'done' };
      },
    }).run(stopper.signal);
    informer.start();
    expect(await informer.synced(never)).to.equal(true);
    const object = (pool: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace, name: 'watched', labels: { pool } },
    });
    await client.apply(resources.configMaps, object('main'));
    await until('the addition is seen', () => reconciled.includes(`${namespace}/watched:main`));
    expect(informer.labelled('pool', 'main')).to.have.length(1);
    await client.apply(resources.configMaps, object('reports'));
    await until('the change is seen', () => reconciled.includes(`${namespace}/watched:reports`));
    expect(informer.get(`${namespace}/watched`)?.metadata).not.to.have.property('managedFields');
    await client.remove(resources.configMaps, { namespace, name: 'watched' });
    await until('the deletion is seen', () => reconciled.includes(`${namespace}/watched:gone`));
    await informer.stop();
    stopper.abort();
    await running;
  });
});
