import { expect } from 'chai';
import { nodeView } from './node-view.ts';
import type { Pod } from './node-view.ts';

const annotation = 'photondb.io/revision';
const nowMs = Date.parse('2026-01-01T01:00:00Z');
const elapsedMs = (since: string): number => nowMs - Date.parse(since);

function podWith(change: Partial<Pod> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'a',
      uid: 'u',
      creationTimestamp: '2026-01-01T00:00:00Z',
      annotations: { [annotation]: 'r1' },
    },
    ...change,
  };
}

function viewOf(pod?: Pod): ReturnType<typeof nodeView> {
  const names = { name: 'a', pool: 'main', roles: ['data'], wantedRevision: 'r1', isHeard: true };
  return nodeView({ ...names, ...(pod === undefined ? {} : { pod }) }, annotation, elapsedMs);
}

describe('the view of a node', () => {
  it('is without a pod and a report while there are none', () => {
    expect(viewOf()).to.not.have.any.keys('pod', 'report');
  });

  it('takes the revision from the annotation, and readiness from the condition', () => {
    const conditions = [
      { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:59:00Z' },
    ];
    expect(viewOf(podWith({ status: { conditions } })).pod).to.deep.equal({
      uid: 'u',
      revision: 'r1',
      isReady: true,
      isTerminating: false,
      unchangedMs: 60_000,
    });
  });

  it('counts from the making of a pod that the kubelet has not looked at', () => {
    expect(viewOf(podWith()).pod).to.include({ isReady: false, unchangedMs: 3_600_000 });
  });

  it('never takes a clock that is ahead for a negative age', () => {
    const conditions = [
      { type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T02:00:00Z' },
    ];
    expect(viewOf(podWith({ status: { conditions } })).pod?.unchangedMs).to.equal(0);
  });

  const troubles: readonly [about: string, status: NonNullable<Pod['status']>, words?: string][] = [
    [
      'no machine has room',
      {
        conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }],
      },
      '0/3 nodes are available',
    ],
    [
      'the image cannot be pulled',
      {
        containerStatuses: [
          {
            name: 'photondb',
            state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } },
          },
        ],
      },
      'ImagePullBackOff: no such image',
    ],
    [
      'the process ends again and again',
      {
        containerStatuses: [
          {
            name: 'photondb',
            state: { waiting: { reason: 'CrashLoopBackOff' } },
            lastState: { terminated: { exitCode: 2 } },
          },
        ],
      },
      'CrashLoopBackOff: exit code 2',
    ],
    [
      'it is only being made',
      {
        containerStatuses: [
          { name: 'photondb', state: { waiting: { reason: 'ContainerCreating' } } },
        ],
      },
    ],
  ];
  for (const [about, status, words] of troubles) {
    it(`tells ${words === undefined ? 'no trouble' : 'the trouble'} when ${about}`, () => {
      expect(viewOf(podWith({ status })).pod?.trouble).to.equal(words);
    });
  }

  it('reads what the node says of itself', () => {
    const node = {
      apiVersion: 'photondb.io/v1alpha1',
      kind: 'PhotonNode' as const,
      metadata: { name: 'a' },
      spec: { clusterName: 'orders', pool: 'main', roles: ['data'] },
      status: { health: 'Degraded' as const, revision: 'r1', wal: { state: 'Corrupt' as const } },
    };
    const names = { name: 'a', pool: 'main', roles: ['data'], wantedRevision: 'r1', isHeard: true };
    expect(nodeView({ ...names, node }, annotation, elapsedMs).report).to.deep.equal({
      health: 'Degraded',
      revision: 'r1',
      isLogCorrupt: true,
    });
  });
});
