import { expect } from 'chai';
import { startHttpServer } from './http-server.ts';
import type { HttpServer } from './http-server.ts';
import type { Metrics } from './metrics.ts';
import { createMetrics, registerGauges } from './metrics.ts';

describe('the HTTP server of the operator', () => {
  let server: HttpServer;
  let metrics: Metrics;
  let isReady = false;
  let counts = [{ type: 'Ready', status: 'True', count: 2 }];

  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${server.port}${path}`);

  before(async () => {
    metrics = createMetrics();
    registerGauges(metrics, {
      queueDepth: () => 3,
      queueOldestSeconds: () => 1.5,
      cachedObjects: () => [{ resource: 'pods', count: 7 }],
      conditions: () => counts,
    });
    const options = { bind: '127.0.0.1', port: 0, metrics, isReady: () => isReady };
    server = await startHttpServer(options);
  });

  after(() => server.close());

  it('is alive from the start, and ready when the caches are filled', async () => {
    expect((await get('/healthz')).status).to.equal(200);
    expect((await get('/readyz')).status).to.equal(503);
    isReady = true;
    expect((await get('/readyz')).status).to.equal(200);
  });

  it('exports counters, current gauges, and the metrics of the process', async () => {
    metrics.reconciles.inc({ outcome: 'done' });
    const response = await get('/metrics');
    expect(response.headers.get('content-type')).to.contain('text/plain');
    const text = await response.text();
    expect(text).to.contain('photondb_operator_reconciles_total{outcome="done"} 1');
    expect(text).to.contain('photondb_operator_queue_depth 3');
    expect(text).to.contain('photondb_operator_cached_objects{resource="pods"} 7');
    expect(text).to.contain('photondb_operator_clusters{condition="Ready",status="True"} 2');
    expect(text).to.contain('process_resident_memory_bytes');
  });

  it('stops reporting what is over', async () => {
    counts = [];
    expect(await (await get('/metrics')).text()).to.not.contain('photondb_operator_clusters{');
  });

  it('has nothing else to show', async () => {
    expect((await get('/')).status).to.equal(404);
  });

  it('says which port is taken', async () => {
    const options = { bind: '127.0.0.1', port: server.port, metrics, isReady: () => true };
    const words = await startHttpServer(options).then(
      () => 'started',
      (error: Error) => error.message,
    );
    expect(words).to.contain('EADDRINUSE');
  });
});
