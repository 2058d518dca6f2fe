import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { Registry } from 'prom-client';
import { healthServer } from './health.ts';
import type { NodeHealth } from './health.ts';
import { machineClock } from '../node/clock.ts';

const never = new Promise<void>(() => undefined);

async function statusOf(health: NodeHealth, path: string, over = never): Promise<number> {
  const server = createServer(
    healthServer(() => health, new Registry(), { over, holdMs: 10, clock: machineClock }) as never,
  );
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

  it('holds the startup probe until the start has ended, and answers at once then', async () => {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    let now = health('Starting', 100);
    const app = healthServer(() => now, new Registry(), {
      over,
      holdMs: 600_000,
      clock: machineClock,
    });
    const server = createServer(app as never);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    const asked = fetch(`http://127.0.0.1:${port}/health/startup`);
    expect((await fetch(`http://127.0.0.1:${port}/health/live`)).status).to.equal(200);
    now = health('Ready', 100);
    resolve();
    expect(await (await asked).json()).to.include({ state: 'Ready', stuck: false });
    server.close();
  });
});
