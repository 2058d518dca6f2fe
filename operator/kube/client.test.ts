import { expect } from 'chai';
import { KubeClient } from './client.ts';
import { isKubeError } from './errors.ts';
import type { KubeObject } from './object.ts';
import { resources } from './object.ts';
import type { KubeClientOptions, RequestObservation } from './options.ts';
import {
  FakeApiServer,
  configMap,
  listOf,
  sendJson,
  sendStatus,
} from './testing/fake-api-server.ts';
import { QuickTiming, until } from './testing/quick-timing.ts';

const name = { namespace: 'default', name: 'a' };
const fast = { ratePerSecond: 1e5, burst: 1e5, inFlightMax: 8 };

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (isKubeError(error)) return error.code;
    throw error;
  }
  return 'no error';
}

describe('client against a server with faults', () => {
  const server = new FakeApiServer();
  const clients: KubeClient[] = [];
  let timing = new QuickTiming();
  let seen: RequestObservation[] = [];

  function client(options: KubeClientOptions = {}): KubeClient {
    const onRequest = (observation: RequestObservation): void => {
      seen.push(observation);
    };
    const made = new KubeClient(server.config, { timing, limits: fast, onRequest, ...options });
    clients.push(made);
    return made;
  }

  before(() => server.start());
  after(() => server.stop());

  beforeEach(() => {
    timing = new QuickTiming();
    seen = [];
    server.asked.length = 0;
    server.connections = 0;
    server.token = 'first';
    server.answer = (_asked, response) => sendJson(response, configMap('a', 'u1', 5));
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((each) => each.close()));
    server.cut();
  });

  describe('connections', () => {
    it('are shared: a hundred requests in a row take two at most', async () => {
      const kube = client();
      for (let request = 0; request < 100; request += 1) await kube.get(resources.configMaps, name);
      expect(server.connections).to.be.at.most(2);
    });

    it('are shared: a hundred requests at once take no more than may be under way', async () => {
      const kube = client();
      const requests = Array.from({ length: 100 }, () => kube.get(resources.configMaps, name));
      await Promise.all(requests);
      expect(server.connections).to.be.at.most(8);
    });

    it('are reopened when one was closed under an idle client', async () => {
      const kube = client();
      await kube.get(resources.configMaps, name);
      server.cut();
      await kube.get(resources.configMaps, name);
      expect(server.connections).to.be.within(2, 3);
    });

    it('all end with the client', async () => {
      const kube = client();
      await kube.get(resources.configMaps, name);
      await kube.close();
      await until('no connection is open', () => server.openConnections === 0);
      expect(await codeOf(kube.get(resources.configMaps, name))).to.equal('kube.aborted');
    });
  });

  describe('answers', () => {
    it('become errors with stable codes and the message of the server', async () => {
      const answers: readonly [number, string, string][] = [
        [400, 'BadRequest', 'kube.bad_request'],
        [403, 'Forbidden', 'kube.forbidden'],
        [404, 'NotFound', 'kube.not_found'],
        [409, 'AlreadyExists', 'kube.already_exists'],
        [409, 'Conflict', 'kube.conflict'],
        [410, 'Expired', 'kube.expired'],
        [422, 'Invalid', 'kube.invalid'],
        [415, 'UnsupportedMediaType', 'kube.rejected'],
      ];
      const kube = client();
      for (const [status, reason, code] of answers) {
        server.answer = (_asked, response) =>
          sendStatus(response, status, { reason, message: 'why' });
        const failure = await kube.get(resources.configMaps, name).catch((error: unknown) => error);
        expect(failure).to.include({ code, status, reason, message: 'why' });
      }
      expect(timing.pauses).to.deep.equal([]);
    });

    it('about an object of another type than the schema are not taken for a failing server', async () => {
      const messages = [
        'failed to create typed patch object: .spec.x: field not declared in schema',
        'failed to create typed patch object: .spec.x: expected numeric (int or float), got string',
        'failed to convert new object (a/b) to proper version: unable to convert unstructured object to v1: quantities must match the regular expression',
      ];
      const object = configMap('a', 'u1', 5) as KubeObject;
      for (const [index, message] of messages.entries()) {
        server.answer = (_asked, response) => sendStatus(response, 500, { message });
        expect(await codeOf(client().apply(resources.configMaps, object))).to.equal('kube.invalid');
        expect(server.asked).to.have.length(index + 1);
      }
    });

    it('that are not JSON are errors, from the server or from something in front of it', async () => {
      const kube = client();
      server.answer = (_asked, response) => response.end('<html>');
      expect(await codeOf(kube.get(resources.configMaps, name))).to.equal('kube.malformed');
      server.answer = (_asked, response) => response.end('"text"');
      expect(await codeOf(kube.get(resources.configMaps, name))).to.equal('kube.malformed');
      server.answer = (_asked, response) => response.writeHead(403).end('denied by a proxy');
      const failure = await kube.get(resources.configMaps, name).catch((error: unknown) => error);
      expect(failure).to.include({ code: 'kube.forbidden', message: 'denied by a proxy' });
    });

    it('keep the fields that no model knows', async () => {
      const kube = client();
      server.answer = (asked, response) =>
        sendJson(response, { ...configMap('a', 'u1', 5), spec: { fieldOfTomorrow: asked.method } });
      const read = await kube.get(resources.configMaps, name);
      expect(read).to.have.nested.property('spec.fieldOfTomorrow', 'GET');
      await kube.apply(resources.configMaps, read);
      expect(JSON.parse(server.asked.at(-1)?.body ?? '')).to.deep.equal(read);
    });

    it('for an object that is not there are undefined where that is asked for', async () => {
      const kube = client();
      server.answer = (_asked, response) => sendStatus(response, 404, { reason: 'NotFound' });
      expect(await kube.find(resources.configMaps, name)).to.equal(undefined);
      await kube.remove(resources.configMaps, name);
      await kube.evict(name);
      expect(await codeOf(kube.get(resources.configMaps, name))).to.equal('kube.not_found');
    });
  });

  describe('a busy or failing server', () => {
    it('is asked again after the time that it names', async () => {
      let refusals = 2;
      server.answer = (_asked, response) => {
        refusals -= 1;
        if (refusals >= 0) sendStatus(response, 429, { retryAfter: 3 });
        else sendJson(response, configMap('a', 'u1', 5));
      };
      await client().create(resources.configMaps, configMap('a', 'u1', 5) as KubeObject);
      expect(timing.pauses).to.deep.equal([3000, 3000]);
      expect(seen.map(({ outcome, attempt }) => `${attempt}:${outcome}`)).to.deep.equal([
        '1:429',
        '2:429',
        '3:200',
      ]);
    });

    it('is asked a bounded number of times, with pauses', async () => {
      server.answer = (_asked, response) => sendStatus(response, 503, {});
      const kube = client();
      expect(await codeOf(kube.get(resources.configMaps, name))).to.equal('kube.unavailable');
      expect(server.asked).to.have.length(5);
      expect(timing.pauses).to.have.length(4);
    });

    it('gets no second request for what is not idempotent', async () => {
      server.answer = (_asked, response) => sendStatus(response, 500, {});
      const object = configMap('a', 'u1', 5) as KubeObject;
      const kube = client();
      expect(await codeOf(kube.create(resources.configMaps, object))).to.equal('kube.unavailable');
      expect(await codeOf(kube.patchJson(resources.configMaps, name, []))).to.equal(
        'kube.unavailable',
      );
      expect(server.asked).to.have.length(2);
    });

    it('that closes without an answer is asked again', async () => {
      let losses = 2;
      server.answer = (_asked, response) => {
        losses -= 1;
        if (losses >= 0) response.destroy();
        else sendJson(response, configMap('a', 'u1', 5));
      };
      await client().apply(resources.configMaps, configMap('a', 'u1', 5) as KubeObject);
      expect(server.asked).to.have.length(3);
    });

    it('that closes in the middle of an answer is asked again', async () => {
      let losses = 1;
      server.answer = (_asked, response) => {
        losses -= 1;
        if (losses < 0) {
          sendJson(response, configMap('a', 'u1', 5));
          return;
        }
        response.writeHead(200, { 'content-length': '1000' });
        response.write('{"meta', () => response.destroy());
      };
      await client().get(resources.configMaps, name);
      expect(server.asked).to.have.length(2);
    });

    it('that does not answer costs a bounded time', async () => {
      server.answer = () => undefined;
      const kube = client({ timeouts: { objectMs: 40, listMs: 60 } });
      expect(await codeOf(kube.get(resources.configMaps, name))).to.equal('kube.timeout');
      expect(await codeOf(kube.list(resources.configMaps))).to.equal('kube.timeout');
      // As many as the client may try: on a busy machine some of them end before the server has seen them.
      expect(seen.map(({ outcome }) => outcome)).to.deep.equal(
        Array.from({ length: 10 }, () => 'kube.timeout'),
      );
    });

    it('that answers without end costs a bounded time', async () => {
      server.answer = (_asked, response) => {
        response.writeHead(200);
        response.write('{');
      };
      const kube = client({ timeouts: { objectMs: 40 } });
      expect(await codeOf(kube.get(resources.configMaps, name))).to.equal('kube.timeout');
    });

    it('is left as soon as the caller gives up', async () => {
      server.answer = () => undefined;
      const stopper = new AbortController();
      const reading = codeOf(client().get(resources.configMaps, name, { signal: stopper.signal }));
      await until('the request has arrived', () => server.asked.length === 1);
      stopper.abort();
      expect(await reading).to.equal('kube.aborted');
      const late = client().get(resources.configMaps, name, { signal: stopper.signal });
      expect(await codeOf(late)).to.equal('kube.aborted');
      expect(server.asked).to.have.length(1);
    });

    it('that is not there at all is an error, not a crash', async () => {
      const gone = new FakeApiServer();
      await gone.start();
      const { config } = gone;
      await gone.stop();
      const kube = new KubeClient({ ...config, server: 'https://127.0.0.1:1' }, { timing });
      expect(await codeOf(kube.get(resources.configMaps, name))).to.equal('kube.unavailable');
      await kube.close();
    });

    it('that says a disruption budget forbids an eviction is not asked again', async () => {
      server.answer = (_asked, response) =>
        sendJson(
          response,
          {
            kind: 'Status',
            status: 'Failure',
            reason: 'TooManyRequests',
            code: 429,
            details: { causes: [{ reason: 'DisruptionBudget' }] },
          },
          429,
        );
      expect(await codeOf(client().evict(name, { uid: 'u1' }))).to.equal('kube.disruption_budget');
      expect(server.asked).to.have.length(1);
      expect(JSON.parse(server.asked[0]?.body ?? '')).to.have.nested.property(
        'deleteOptions.preconditions.uid',
        'u1',
      );
    });
  });

  describe('credentials', () => {
    it('that were rotated are read again when the server refuses the old ones', async () => {
      server.answer = (asked, response) => {
        if (asked.headers.authorization === `Bearer ${server.token}`) {
          sendJson(response, configMap('a', 'u1', 5));
        } else {
          sendStatus(response, 401, { reason: 'Unauthorized' });
        }
      };
      const kube = client();
      await kube.get(resources.configMaps, name);
      server.token = 'second';
      await kube.get(resources.configMaps, name);
      expect(server.asked.map(({ headers }) => headers.authorization)).to.deep.equal([
        'Bearer first',
        'Bearer first',
        'Bearer second',
      ]);
    });

    it('that stay wrong are refused once more, and then said to be', async () => {
      server.answer = (_asked, response) => sendStatus(response, 401, { reason: 'Unauthorized' });
      expect(await codeOf(client().get(resources.configMaps, name))).to.equal('kube.unauthorized');
      expect(server.asked).to.have.length(2);
    });

    it('are read again after a minute, and only then', async () => {
      let nowMs = 0;
      let reads = 0;
      const config = {
        ...server.config,
        credentials: () => {
          reads += 1;
          return server.config.credentials();
        },
      };
      timing.now = () => nowMs;
      const kube = new KubeClient(config, { timing, limits: fast });
      clients.push(kube);
      for (nowMs = 0; nowMs <= 180_000; nowMs += 10_000) await kube.get(resources.configMaps, name);
      expect(reads).to.equal(4);
    });

    it('that cannot be read for a moment do not stop the client', async () => {
      let nowMs = 0;
      let isReadable = true;
      timing.now = () => nowMs;
      const config = {
        ...server.config,
        credentials: async () => {
          if (!isReadable) throw new Error('in the middle of a swap');
          return server.config.credentials();
        },
      };
      const kube = new KubeClient(config, { timing, limits: fast });
      clients.push(kube);
      await kube.get(resources.configMaps, name);
      isReadable = false;
      nowMs = 100_000;
      await kube.get(resources.configMaps, name);
    });

    it('of a rotated authority are taken up, and the open watch lives on', async () => {
      let nowMs = 0;
      timing.now = () => nowMs;
      server.answer = (asked, response) => {
        if (asked.query.has('watch')) response.writeHead(200).flushHeaders();
        else sendJson(response, configMap('a', 'u1', 5));
      };
      const kube = client();
      const stopper = new AbortController();
      const watching = codeOf(
        kube
          .watch(resources.configMaps, { resourceVersion: '1' }, { signal: stopper.signal })
          .next(),
      );
      await until('the watch has arrived', () => server.asked.length === 1);
      server.rotateAuthority();
      nowMs = 61_000;
      await kube.get(resources.configMaps, name);
      expect(server.openConnections).to.equal(2);
      stopper.abort();
      expect(await watching).to.equal('kube.aborted');
      await until('the old connection is gone', () => server.openConnections === 1);
    });

    it('of an authority rotated a moment ago are found by the failing connection', async () => {
      let nowMs = 0;
      timing.now = () => nowMs;
      const kube = client();
      await kube.get(resources.configMaps, name);
      server.rotateAuthority();
      server.cut();
      nowMs = 2000;
      await kube.get(resources.configMaps, name);
    });

    it('do not help against a server with an untrusted certificate', async () => {
      const stranger = new FakeApiServer();
      await stranger.start();
      const config = { ...stranger.config, credentials: () => server.config.credentials() };
      const kube = new KubeClient(config, { timing });
      expect(await codeOf(kube.get(resources.configMaps, name))).to.equal('kube.unavailable');
      expect(stranger.asked).to.have.length(0);
      await kube.close();
      await stranger.stop();
    });
  });

  describe('lists', () => {
    it('are read in pages, from one version, with kinds on the items', async () => {
      server.answer = (asked, response) => {
        const page = Number(asked.query.get('continue') ?? '0');
        const item = { metadata: { name: `item-${page}`, uid: `u${page}`, resourceVersion: '3' } };
        const more = page < 2 ? { continue: String(page + 1) } : {};
        sendJson(response, { metadata: { resourceVersion: '9', ...more }, items: [item] });
      };
      const scope = { namespace: 'ns', labelSelector: 'a=b', fieldSelector: 'metadata.name!=c' };
      const { items, resourceVersion } = await client().list(resources.statefulSets, scope);
      expect(items.map(({ metadata }) => metadata.name)).to.deep.equal([
        'item-0',
        'item-1',
        'item-2',
      ]);
      expect(items[0]).to.include({ apiVersion: 'apps/v1', kind: 'StatefulSet' });
      expect(resourceVersion).to.equal('9');
      for (const { path, query } of server.asked) {
        expect(path).to.equal('/apis/apps/v1/namespaces/ns/statefulsets');
        expect(query.get('limit')).to.equal('500');
        expect(query.get('labelSelector')).to.equal('a=b');
      }
    });

    it('restart when a page has expired, and a bounded number of times', async () => {
      let expirations = 1;
      server.answer = (asked, response) => {
        if (!asked.query.has('continue')) {
          sendJson(response, { metadata: { resourceVersion: '9', continue: 'x' }, items: [] });
        } else if (expirations > 0) {
          expirations -= 1;
          sendStatus(response, 410, { reason: 'Expired' });
        } else {
          sendJson(response, listOf([configMap('a', 'u1', 5)], 9));
        }
      };
      const kube = client();
      expect((await kube.list(resources.configMaps)).items).to.have.length(1);
      expirations = 100;
      expect(await codeOf(kube.list(resources.configMaps))).to.equal('kube.expired');
      expect(server.asked.length).to.be.lessThan(20);
    });

    it('that are no lists are refused', async () => {
      server.answer = (_asked, response) => sendJson(response, { items: [] });
      expect(await codeOf(client().list(resources.configMaps))).to.equal('kube.malformed');
    });
  });

  describe('writes', () => {
    it('are server-side apply under one manager, strict, for objects and for their status', async () => {
      const object = configMap('a', 'u1', 5) as KubeObject;
      const kube = client();
      await kube.apply(resources.configMaps, object);
      await kube.applyStatus(resources.photonClusters, object, { dryRun: true });
      const [whole, status] = server.asked;
      expect(whole?.method).to.equal('PATCH');
      expect(whole?.path).to.equal('/api/v1/namespaces/default/configmaps/a');
      expect(whole?.headers['content-type']).to.equal('application/apply-patch+yaml');
      expect(Object.fromEntries(whole?.query ?? [])).to.deep.equal({
        fieldManager: 'photondb-operator',
        fieldValidation: 'Strict',
        force: 'true',
      });
      expect(status?.path).to.match(
        /\/apis\/photondb.io\/v1alpha1\/.*\/photonclusters\/a\/status$/,
      );
      expect(status?.query.get('dryRun')).to.equal('All');
    });

    it('say the type of each patch', async () => {
      const kube = client();
      await kube.patchJson(resources.pods, name, [{ op: 'test', path: '/a', value: 1 }]);
      await kube.mergePatch(resources.pods, name, { a: 1 }, { subresource: 'status' });
      expect(server.asked.map(({ headers }) => headers['content-type'])).to.deep.equal([
        'application/json-patch+json',
        'application/merge-patch+json',
      ]);
      expect(server.asked[1]?.path).to.match(/\/pods\/a\/status$/);
    });

    it('delete one object by UID when requested', async () => {
      const kube = client();
      const options = { uid: 'u1', resourceVersion: '5', propagationPolicy: 'Orphan' } as const;
      await kube.remove(resources.statefulSets, name, options);
      expect(JSON.parse(server.asked[0]?.body ?? '')).to.deep.include({
        preconditions: { uid: 'u1', resourceVersion: '5' },
        propagationPolicy: 'Orphan',
      });
    });

    it('quote names, so that no name reaches another object', async () => {
      await client().get(resources.configMaps, { namespace: 'a/b', name: '../x?y' });
      expect(server.asked[0]?.path).to.equal('/api/v1/namespaces/a%2Fb/configmaps/..%2Fx%3Fy');
    });
  });

  it('lets urgent requests overtake those that wait for the rate', async () => {
    const slow = { ratePerSecond: 0.001, burst: 1, inFlightMax: 1 };
    let isAsleep = false;
    timing.sleep = (_delayMs: number, signal?: AbortSignal) =>
      new Promise((resolve) => {
        isAsleep = true;
        signal?.addEventListener('abort', () => resolve());
      });
    const kube = client({ limits: slow });
    await kube.get(resources.configMaps, name);
    const stopper = new AbortController();
    const waiting = codeOf(kube.get(resources.configMaps, name, { signal: stopper.signal }));
    await until('the second request waits', () => isAsleep);
    await kube.get(resources.configMaps, name, { urgent: true });
    stopper.abort();
    expect(await waiting).to.equal('kube.aborted');
    expect(server.asked).to.have.length(2);
  });
});
