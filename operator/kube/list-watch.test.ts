import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import type { Clock } from '../controller/clock.ts';
import { systemClock } from '../controller/clock.ts';
import type { InformerObservation } from '../controller/informer.ts';
import { Informer } from '../controller/informer.ts';
import { KubeClient } from './client.ts';
import { isKubeError } from './errors.ts';
import { KubeListWatch } from './list-watch.ts';
import type { KubeObject } from './object.ts';
import { resources } from './object.ts';
import type { Asked } from './testing/fake-api-server.ts';
import {
  FakeApiServer,
  configMap,
  listOf,
  sendEvent,
  sendJson,
  sendStatus,
} from './testing/fake-api-server.ts';
import { QuickTiming, until } from './testing/quick-timing.ts';

/** Pauses are a hundred times shorter: thirty seconds of back-off are 300 ms. */
const hurriedClock: Clock = {
  now: () => systemClock.now() * 100,
  wallMs: () => systemClock.wallMs(),
  after: (delayMs, callback) => systemClock.after(delayMs / 100, callback),
};

const watchIdleMs = 150;

describe('informer on a server with faults', () => {
  const server = new FakeApiServer();
  const watches: { readonly asked: Asked; readonly response: ServerResponse }[] = [];
  let items: object[] = [];
  let version = 10;
  let client: KubeClient;
  let informers: Informer<KubeObject>[] = [];
  let seen: InformerObservation[] = [];
  let changes: string[] = [];

  /** A server without faults; tests replace parts of it. */
  function serve(asked: Asked, response: ServerResponse): void {
    if (!asked.query.has('watch')) {
      sendJson(response, listOf(items, version));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    watches.push({ asked, response });
  }

  const lists = (): number => server.asked.filter(({ query }) => !query.has('watch')).length;

  function current(): ServerResponse {
    const watch = watches.at(-1);
    if (watch === undefined) throw new Error('no watch has come');
    return watch.response;
  }

  const failed = (): string[] =>
    seen.flatMap((each) =>
      each.type === 'failed' && isKubeError(each.error) ? [each.error.code] : [],
    );

  function informerOf(): Informer<KubeObject> {
    const informer = new Informer<KubeObject>({
      source: new KubeListWatch<KubeObject>(client, resources.configMaps),
      clock: hurriedClock,
      random: () => 0.5,
      relistMs: 1e9,
      observe: (observation) => seen.push(observation),
    });
    informer.onChange(({ type, object }) => {
      changes.push(`${type}:${object.metadata.uid}@${object.metadata.resourceVersion}`);
    });
    informers.push(informer);
    return informer;
  }

  async function started(): Promise<Informer<KubeObject>> {
    const informer = informerOf();
    informer.start();
    await until('a watch has come', () => watches.length === 1);
    changes.length = 0;
    return informer;
  }

  before(() => server.start());
  after(() => server.stop());

  beforeEach(() => {
    watches.length = 0;
    server.asked.length = 0;
    server.token = 'first';
    server.answer = serve;
    items = [configMap('a', 'u1', 5)];
    version = 10;
    seen = [];
    changes = [];
    client = new KubeClient(server.config, {
      timing: new QuickTiming(),
      limits: { ratePerSecond: 1e5, burst: 1e5, inFlightMax: 8 },
      timeouts: { watchIdleMs },
    });
  });

  afterEach(async () => {
    await Promise.all(informers.splice(0).map((informer) => informer.stop()));
    await client.close();
    await until('no connection is left', () => server.openConnections === 0);
  });

  it('asks for bookmarks and for an end after five to ten minutes, at random', async () => {
    await started();
    const [watch] = watches;
    expect(watch?.asked.query.get('allowWatchBookmarks')).to.equal('true');
    expect(watch?.asked.query.get('resourceVersion')).to.equal('10');
    expect(Number(watch?.asked.query.get('timeoutSeconds'))).to.be.within(290, 600);
  });

  it('keeps a quiet watch open as long as bookmarks come', async () => {
    await started();
    for (let heartbeat = 11; heartbeat < 20; heartbeat += 1) {
      sendEvent(current(), 'BOOKMARK', { metadata: { resourceVersion: String(heartbeat) } });
      await new Promise((resolve) => {
        setTimeout(resolve, watchIdleMs / 3);
      });
    }
    expect(watches).to.have.length(1);
    expect(failed()).to.deep.equal([]);
  });

  it('ends a watch that has become silent, and resumes from its last version', async () => {
    const informer = await started();
    sendEvent(current(), 'BOOKMARK', { metadata: { resourceVersion: '77' } });
    await until('another watch has come', () => watches.length === 2);
    expect(watches[1]?.asked.query.get('resourceVersion')).to.equal('77');
    expect(lists()).to.equal(1);
    sendEvent(current(), 'MODIFIED', configMap('a', 'u1', 80));
    await until('the event is in the cache', () => changes.includes('modified:u1@80'));
    expect(informer.size).to.equal(1);
  });

  it('watches again at once when the server ends a watch, without a gap', async () => {
    await started();
    sendEvent(current(), 'MODIFIED', configMap('a', 'u1', 12));
    current().end();
    await until('another watch has come', () => watches.length === 2);
    expect(watches[1]?.asked.query.get('resourceVersion')).to.equal('12');
    expect(failed()).to.deep.equal([]);
  });

  for (const status of [401, 403, 429, 500, 503]) {
    it(`resumes after a watch was answered by ${status}`, async () => {
      await started();
      let refusals = 6;
      server.answer = (asked, response) => {
        refusals -= asked.query.has('watch') ? 1 : 0;
        if (asked.query.has('watch') && refusals >= 0) sendStatus(response, status, {});
        else serve(asked, response);
      };
      current().destroy();
      await until('another watch has come', () => watches.length === 2);
      expect(refusals).to.be.lessThan(0);
      sendEvent(current(), 'MODIFIED', configMap('a', 'u1', 80));
      await until('the event is in the cache', () => changes.includes('modified:u1@80'));
    });
  }

  it('continues with a new token when the old one is refused', async () => {
    server.answer = (asked, response) => {
      if (asked.headers.authorization === `Bearer ${server.token}`) serve(asked, response);
      else sendStatus(response, 401, { reason: 'Unauthorized' });
    };
    await started();
    server.token = 'second';
    current().end();
    await until('another watch has come', () => watches.length === 2);
    expect(watches[1]?.asked.headers.authorization).to.equal('Bearer second');
  });

  it('lists again when the version is too old, said as an answer or as an event', async () => {
    await started();
    items = [configMap('b', 'u2', 30)];
    version = 31;
    const { code, ...expired } = { code: 410, kind: 'Status', reason: 'Expired' };
    sendEvent(current(), 'ERROR', { ...expired, code });
    await until('another watch has come', () => watches.length === 2);
    expect(changes).to.deep.equal(['deleted:u1@5', 'added:u2@30']);
    expect(watches[1]?.asked.query.get('resourceVersion')).to.equal('31');
    let refusals = 1;
    server.answer = (asked, response) => {
      refusals -= asked.query.has('watch') ? 1 : 0;
      if (asked.query.has('watch') && refusals >= 0)
        sendStatus(response, 410, { reason: 'Expired' });
      else serve(asked, response);
    };
    current().destroy();
    await until('a third watch has come', () => watches.length === 3);
    expect(lists()).to.equal(3);
  });

  it('lists again after any other error event, and after a line that is no event', async () => {
    await started();
    sendEvent(current(), 'ERROR', { kind: 'Status', code: 500, reason: 'InternalError' });
    await until('another watch has come', () => watches.length === 2);
    current().write('{"type":"ADDED","object":{"half":\n');
    await until('a third watch has come', () => watches.length === 3);
    expect(lists()).to.equal(3);
    expect(failed()).to.deep.equal(['kube.watch_failed', 'kube.malformed']);
  });

  it('is not led astray by repeated, late and torn events', async () => {
    const informer = await started();
    const events: readonly [string, object][] = [
      ['ADDED', configMap('a', 'u1', 5)],
      ['MODIFIED', configMap('a', 'u1', 12)],
      ['MODIFIED', configMap('a', 'u1', 11)],
      ['MODIFIED', configMap('a', 'u1', 12)],
      ['ADDED', configMap('b', 'u2', 13)],
      ['DELETED', configMap('b', 'u2', 14)],
      ['MODIFIED', configMap('b', 'u2', 13)],
      ['DELETED', configMap('b', 'u2', 14)],
      ['ADDED', configMap('c', 'u3', 15)],
    ];
    for (const [type, object] of events) sendEvent(current(), type, object);
    const torn = JSON.stringify({ type: 'MODIFIED', object: configMap('c', 'u3', 16) });
    current().write(torn.slice(0, 40));
    await until('the last event is in the cache', () => changes.includes('added:u3@15'));
    current().destroy();
    await until('another watch has come', () => watches.length === 2);
    expect(watches[1]?.asked.query.get('resourceVersion')).to.equal('15');
    expect(changes).to.deep.equal([
      'modified:u1@12',
      'added:u2@13',
      'deleted:u2@14',
      'added:u3@15',
    ]);
    expect(informer.list().map(({ metadata }) => metadata.resourceVersion)).to.deep.equal([
      '12',
      '15',
    ]);
  });

  it('sees a deletion and a recreation that happened while it was cut off', async () => {
    await started();
    server.answer = (_asked, response) => response.destroy();
    server.cut();
    await until('it has noticed', () => failed().length > 2);
    items = [configMap('a', 'u9', 40)];
    version = 41;
    server.answer = (asked, response) => {
      if (asked.query.get('resourceVersion') === '10')
        sendStatus(response, 410, { reason: 'Gone' });
      else serve(asked, response);
    };
    await until('both have a change', () => changes.length === 2);
    expect(changes).to.deep.equal(['deleted:u1@5', 'added:u9@40']);
  });

  it('keeps no managed fields, which are half of an object', async () => {
    const object = configMap('a', 'u1', 5) as KubeObject;
    items = [{ ...object, metadata: { ...object.metadata, managedFields: [{ manager: 'x' }] } }];
    const informer = await started();
    expect(informer.get('default/a')?.metadata).not.to.have.property('managedFields');
    expect(informer.get('default/a')).to.have.nested.property('data.version', '5');
  });

  it('holds one connection for each watch, however often they were lost', async () => {
    const all = Array.from({ length: 10 }, informerOf);
    for (const informer of all) informer.start();
    for (let round = 1; round <= 5; round += 1) {
      await until('all watches have come', () => watches.length >= round * 10);
      if (round < 5) server.cut();
    }
    await until('no more connections than watches', () => server.openConnections <= 18);
    expect(watches).to.have.length(50);
  });

  it('stops without an error, in the middle of a list, a watch or a pause', async () => {
    const watching = await started();
    await watching.stop();
    server.answer = () => undefined;
    const listing = informerOf();
    listing.start();
    await until('the list has been asked for', () => lists() === 2);
    await listing.stop();
    expect(failed()).to.deep.equal([]);
    server.answer = (_asked, response) => sendStatus(response, 403, {});
    const pausing = informerOf();
    pausing.start();
    await until('it pauses', () => failed().length > 0);
    await pausing.stop();
  });
});
