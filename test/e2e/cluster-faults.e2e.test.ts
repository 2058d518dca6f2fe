import { expect } from 'chai';
import { ReplicatedNodes } from './replicated-nodes.ts';
import type { FaultKind } from './replicated-nodes.ts';

/**
 * Three real nodes with networks of their own: replicas of a table are moved while links are cut, and nodes are killed
 * and paused. What clients saw of each register has one order. `npm run soak -- cluster` goes on for long.
 */
const rounds: readonly {
  readonly kind: FaultKind;
  readonly at: number;
  readonly replicas: number;
  readonly delayMs: number;
  readonly lastsMs: number;
  readonly progress: number;
}[] = [
  { kind: 'partition', at: 0, replicas: 3, delayMs: 0, lastsMs: 0, progress: 20 },
  { kind: 'full disk', at: 2, replicas: 3, delayMs: 0, lastsMs: 0, progress: 20 },
  { kind: 'inbound cut', at: 1, replicas: 2, delayMs: 50, lastsMs: 3_000, progress: 0 },
  { kind: 'partial partition', at: 0, replicas: 3, delayMs: 100, lastsMs: 2_000, progress: 0 },
  { kind: 'pause', at: 1, replicas: 3, delayMs: 0, lastsMs: 5_000, progress: 0 },
  { kind: 'stop in isolation', at: 0, replicas: 3, delayMs: 500, lastsMs: 2_000, progress: 0 },
  { kind: 'kill', at: 2, replicas: 2, delayMs: 300, lastsMs: 0, progress: 0 },
];

describe('three nodes with replicated data and networks of their own', function faults() {
  this.timeout(480_000);
  let replicated: ReplicatedNodes;

  before(async () => {
    replicated = await ReplicatedNodes.form(3);
  });
  after(() => replicated.close());

  for (const { at, ...round } of rounds) {
    it(`serve again at each node: ${round.kind} of node${at + 1}, ${round.replicas} replicas`, async () => {
      const node = replicated.running[at] ?? expect.fail();
      await replicated.round({ ...round, node });
    });
  }

  it('show each client one order of the operations of each register, and the same on each node', async () => {
    await replicated.reconfigure(3);
    await replicated.allReady();
    await replicated.load.progress(20);
    await replicated.check();
    expect(replicated.readsAfterPause).to.be.greaterThan(0);
    for (const key of replicated.load.keys)
      expect(replicated.load.historyOf(key).length).to.be.greaterThan(50);
  });
});
