import { expect } from 'chai';
import { nodeView } from './node-view.ts';
import type { Pod } from './observed.ts';

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

const conventions = {
  revisionAnnotation: annotation,
  restartAnnotation: 'restartedAt',
  mainContainer: 'photondb',
};
const names = {
  name: 'a',
  pool: 'main',
  roles: ['data'],
  wantedRevision: 'r1',
  wantedVersion: '0.1.0',
  isHeard: true,
};

function viewOf(pod?: Pod): ReturnType<typeof nodeView> {
  return nodeView({ ...names, ...(pod === undefined ? {} : { pod }) }, conventions, elapsedMs);
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

  it('has the other nodes as the node sees them', () => {
    const status = {
      id: 'i1',
      clusterId: 'c1',
      peers: [{ id: 'i2', state: 'Dead' as const, reason: 'no answer' }, { id: 'i3' }],
      replication: { state: 'CatchingUp' as const, message: 'a replica is behind', groups: 3 },
    };
    const node = {
      apiVersion: 'photondb.io/v1alpha1' as const,
      kind: 'PhotonNode' as const,
      metadata: { name: 'a' },
      spec: { clusterName: 'c', pool: 'main', roles: [] },
      status,
    };
    expect(nodeView({ ...names, node }, conventions, elapsedMs).report).to.deep.include({
      clusterId: 'c1',
      peers: [
        { id: 'i2', state: 'Dead', reason: 'no answer' },
        { id: 'i3', state: 'Alive' },
      ],
      replicas: { state: 'CatchingUp', message: 'a replica is behind' },
    });
    const earlier = { ...node, status: { ...status, replication: { groups: 3 } } };
    expect(nodeView({ ...names, node: earlier }, conventions, elapsedMs).report).to.deep.include({
      replicas: { state: 'Ok' },
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

  it('is in trouble only while its pod is neither ready nor leaving', () => {
    const containerStatuses = [
      { name: 'photondb', state: { waiting: { reason: 'InvalidImageName', message: 'a:b:c' } } },
    ];
    expect(viewOf(podWith({ status: { containerStatuses } })).trouble?.reason).to.equal(
      'ImageUnavailable',
    );
    const conditions = [{ type: 'Ready', status: 'True' }];
    const ready = viewOf(podWith({ status: { containerStatuses, conditions } }));
    expect(ready.trouble).to.equal(undefined);
    const leaving = podWith({ status: { containerStatuses } });
    const metadata = { ...leaving.metadata, deletionTimestamp: '2026-01-01T01:00:00Z' };
    expect(viewOf({ ...leaving, metadata }).trouble).to.equal(undefined);
  });

  it('remembers of a pod that serves again that it was out of memory, and its limit', () => {
    const conditions = [{ type: 'Ready', status: 'True' }];
    const terminated = { reason: 'OOMKilled', exitCode: 137, finishedAt: '2026-01-01T00:30:00Z' };
    const containerStatuses = [
      { name: 'photondb', restartCount: 1, state: { running: {} }, lastState: { terminated } },
    ];
    const spec = { containers: [{ name: 'photondb', resources: { limits: { memory: '1Gi' } } }] };
    const { pod } = viewOf(podWith({ spec, status: { conditions, containerStatuses } }));
    expect(pod?.incident).to.match(/^2026-01-01T00:30:00Z: .*OOMKilled, a limit of 1Gi, 1 restart/);
  });

  it('reads what the node says of itself', () => {
    const node = {
      apiVersion: 'photondb.io/v1alpha1',
      kind: 'PhotonNode' as const,
      metadata: { name: 'a' },
      spec: { clusterName: 'orders', pool: 'main', roles: ['data'] },
      status: { health: 'Degraded' as const, revision: 'r1', wal: { state: 'Corrupt' as const } },
    };
    expect(nodeView({ ...names, node }, conventions, elapsedMs).report).to.deep.equal({
      health: 'Degraded',
      revision: 'r1',
      isLogCorrupt: true,
    });
  });
});
