import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { healthServer } from './health.ts';
import type { NodeHealth } from './health.ts';

async function statusOf(health: NodeHealth, path: string): Promise<number> {
  const server = createServer(healthServer(() => health, new Registry()) as never);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { status } = await fetch(`http://127.0.0.1:${port}${path}`);
  server.close();
  return status;
}

const health = (state: NodeHealth['state'], movedMsAgo: number): NodeHealth => ({
  state,
  message: '',
  replay: { doneBytes: 1, totalBytes: 9, movedMsAgo },
});

describe('the health of a node', () => {
  it('lets a replay that moves take as long as it needs, and fails one that stands still', async () => {
    expect(await statusOf(health('Starting', 100), '/health/startup')).to.equal(200);
    expect(await statusOf(health('Starting', 100), '/health/live')).to.equal(200);
    expect(await statusOf(health('Starting', 100), '/health/ready')).to.equal(503);
    expect(await statusOf(health('Starting', 3_600_000), '/health/startup')).to.equal(503);
    expect(await statusOf(health('Starting', 3_600_000), '/health/live')).to.equal(503);
  });

  it('is ready only while it serves', async () => {
    expect(await statusOf(health('Ready', 3_600_000), '/health/ready')).to.equal(200);
    expect(await statusOf(health('Ready', 3_600_000), '/health/live')).to.equal(200);
    expect(await statusOf(health('Stopping', 0), '/health/ready')).to.equal(503);
    expect(await statusOf(health('Ready', 0), '/nothing')).to.equal(404);
  });
});
