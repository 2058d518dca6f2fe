import { expect } from 'chai';
import { reasons } from '../api/conditions.ts';
import type { NodeReport, NodeView } from '../api/node-view.ts';
import { nodeWith, troubleWith } from '../api/testing/clusters.ts';
import { clusterStatus, firstStatus, poolStatus } from './cluster-status.ts';
import type { ClusterStatus } from './cluster-status.ts';
import type { Outcome } from './verdicts.ts';
import { Heartbeats } from './heartbeats.ts';

const first = { generation: 1, now: '2026-01-01T00:00:00Z' };
const later = { generation: 1, now: '2026-01-01T00:05:00Z' };
const done: Outcome = { type: 'complete' };
const waiting: Outcome = { type: 'wait', message: 'pod a is not ready' };
const stuck: Outcome = { type: 'fail', reason: reasons.foreignObject, message: 'Service x exists' };

function statusOf(outcome: Outcome, nodes: readonly NodeView[] = [nodeWith()]): ClusterStatus {
  return clusterStatus({ outcome, nodes }, first);
}

function said(status: ClusterStatus): Record<string, string> {
  return Object.fromEntries(
    (status.conditions ?? []).map(({ type, status: is, reason }) => [type, `${is} ${reason}`]),
  );
}

describe('the conditions of a cluster', () => {
  it('say of a fulfilled generation that it is ready and nothing is abnormal', () => {
    expect(said(statusOf(done))).to.deep.equal({
      Ready: 'True Fulfilled',
      Available: 'True Serving',
      Reconciling: 'False Fulfilled',
      Stalled: 'False Fulfilled',
      Degraded: 'False NodesReady',
      CertificatesExpiring: 'False CertificatesValid',
    });
  });

  it('report work in progress, and that the database serves meanwhile', () => {
    const words = said(statusOf(waiting, [nodeWith({ report: { revision: 'old' } })]));
    expect(words).to.include({ Ready: 'False Progressing', Reconciling: 'True Progressing' });
    expect(words).to.include({ Stalled: 'False Progressing', Available: 'True Serving' });
  });

  it('report Stalled with the reason when manual action is needed', () => {
    const status = statusOf(stuck);
    expect(said(status)).to.include({
      Ready: 'False ForeignObject',
      Stalled: 'True ForeignObject',
    });
    expect(said(status)).to.include({ Reconciling: 'False Stalled' });
    const stalled = status.conditions?.find(({ type }) => type === 'Stalled');
    expect(stalled?.message).to.equal('Service x exists');
  });

  describe('of nodes that serve', () => {
    const serving = (name: string, id: string, peers: NodeReport['peers'] = []): NodeView =>
      nodeWith({ name, pod: { unchangedMs: 60_000 }, report: { id, peers } });
    const dead = { id: 'i2', state: 'Dead', reason: 'no answer to probes' };
    const degraded = (nodes: readonly NodeView[]): string | undefined => {
      const condition = statusOf(done, nodes).conditions?.find(({ type }) => type === 'Degraded');
      return `${condition?.status} ${condition?.reason}: ${condition?.message}`;
    };

    it('name nodes that do not see each other, and prevent Ready', () => {
      const nodes = [serving('a', 'i1', [dead]), serving('b', 'i2')];
      expect(degraded(nodes)).to.contain(
        'True NodesDisconnected: a sees b dead: no answer to probes; check the network',
      );
      expect(said(statusOf(done, nodes))).to.include({ Ready: 'False NodesDisconnected' });
    });

    it('name those that are quarantined', () => {
      const peer = { id: 'i2', state: 'Quarantined', reason: 'replays' };
      const nodes = [serving('a', 'i1', [peer]), serving('b', 'i2')];
      expect(degraded(nodes)).to.contain('a sees b quarantined: replays');
    });

    it('name a node that reports its own quarantine, though its pod is not ready', () => {
      const node = nodeWith({
        pod: { isReady: false },
        report: { health: 'Quarantined', message: 'two nodes have its identity' },
      });
      expect(degraded([node])).to.contain(
        'True NodesUnhealthy: orders-main-0-0 is quarantined: two nodes have its identity',
      );
      const gone = nodeWith({ pod: { revision: 'old' }, report: { health: 'Quarantined' } });
      expect(degraded([gone])).to.not.contain('quarantined');
    });

    it('leave out former identities, suspicions, and nodes that have just come back', () => {
      const former = { id: 'i0', state: 'Dead' };
      const suspect = { id: 'i2', state: 'Suspect' };
      const healthy = 'False NodesReady';
      expect(degraded([serving('a', 'i1', [former, suspect]), serving('b', 'i2')])).to.contain(
        healthy,
      );
      const back = nodeWith({ name: 'b', pod: { unchangedMs: 1_000 }, report: { id: 'i2' } });
      expect(degraded([serving('a', 'i1', [dead]), back])).to.contain(healthy);
    });
  });

  it('say that nothing serves without a ready node that has data', () => {
    const trouble = troubleWith('ErrImagePull');
    const status = statusOf(waiting, [nodeWith({ pod: { isReady: false }, trouble })]);
    expect(said(status)).to.include({ Available: 'False NoNodeReady' });
    const available = status.conditions?.find(({ type }) => type === 'Available');
    expect(available?.message).to.contain('orders-main-0-0: ErrImagePull');
    const coordinator = nodeWith({ roles: ['coordinator'] });
    expect(said(statusOf(waiting, [coordinator]))).to.include({ Available: 'False NoNodeReady' });
  });

  describe('of nodes with replicas', () => {
    type State = NonNullable<NodeReport['replicas']>['state'];
    const withReplicas = (state: State, message: string, name = 'a'): NodeView => {
      const health = state === 'Degraded' || state === 'Unavailable' ? 'Degraded' : 'Ready';
      return nodeWith({ name, report: { health, message, replicas: { state, message } } });
    };

    it('do not change while a leader is elected, as of a new table', () => {
      const settling = withReplicas('Settling', 'the leader is not known yet');
      expect(said(statusOf(done, [settling]))).to.deep.equal(said(statusOf(done)));
    });

    it('report progress, and no damage, while a replica catches up', () => {
      const words = said(statusOf(done, [withReplicas('CatchingUp', 'table d.t has 1 of 3')]));
      expect(words).to.include({ Ready: 'False Progressing', Reconciling: 'True Progressing' });
      expect(words).to.include({ Degraded: 'False NodesReady', Available: 'True Serving' });
    });

    it('are degraded when that lasts, and nobody is asked to act', () => {
      const words = said(statusOf(done, [withReplicas('Degraded', 'table d.t has 1 of 3')]));
      expect(words).to.include({ Ready: 'False Progressing', Stalled: 'False Progressing' });
      expect(words).to.include({ Degraded: 'True NodesUnhealthy', Available: 'True Serving' });
    });

    it('say that nothing serves when a majority is lost, which nodes to start, and what comes after', () => {
      const lost = withReplicas('Unavailable', 'no majority is reached; start node-b, node-c');
      const gone = nodeWith({ name: 'b', pod: { isReady: false } });
      const status = statusOf(waiting, [lost, gone, { ...gone, name: 'c' }]);
      expect(said(status)).to.include({ Available: 'False MajorityLost' });
      const available = status.conditions?.find(({ type }) => type === 'Available');
      expect(available?.message).to.contain('a: no majority is reached; start node-b, node-c; ');
      expect(available?.message).to.contain('docs/operations/troubleshooting.md');
    });

    it('say that the cluster serves when one node alone does not reach the others', () => {
      const alone = withReplicas('Unavailable', 'no majority is reached');
      const words = said(statusOf(done, [alone, nodeWith({ name: 'b' }), nodeWith({ name: 'c' })]));
      expect(words).to.include({ Available: 'True Serving', Degraded: 'True NodesUnhealthy' });
    });

    it('do not believe a report of a pod that has ended', () => {
      const { report, ...node } = withReplicas('Unavailable', 'no majority is reached');
      const former = { ...node, report: { isLogCorrupt: false, ...report, revision: 'old' } };
      expect(said(statusOf(done, [former]))).to.include({ Available: 'True Serving' });
    });
  });

  const degradations: readonly [about: string, node: NodeView, reason: string][] = [
    ['a silent node', nodeWith({ isHeard: false }), 'True NodesUnknown'],
    ['a corrupt log', nodeWith({ report: { isLogCorrupt: true } }), 'True NodesUnhealthy'],
    ['a degraded node', nodeWith({ report: { health: 'Degraded' } }), 'True NodesUnhealthy'],
    ['a node that serves', nodeWith(), 'False NodesReady'],
    ['a node that starts', nodeWith({ pod: { isReady: false } }), 'Unknown NodesStarting'],
    ['a node without a pod', nodeWith({ pod: null }), 'Unknown NodesStarting'],
    ['a node that has not reported', nodeWith({ report: null }), 'Unknown NodesStarting'],
    [
      'a node in trouble that may pass',
      nodeWith({ pod: null, trouble: troubleWith('no room') }),
      'Unknown NodesStarting',
    ],
    [
      'a node in trouble that stays',
      nodeWith({
        pod: { isReady: false },
        trouble: troubleWith('OOMKilled', { reason: reasons.outOfMemory, isCertain: true }),
      }),
      'True OutOfMemory',
    ],
  ];
  for (const [about, node, reason] of degradations) {
    it(`judge ${about}: ${reason}`, () => {
      expect(said(statusOf(waiting, [node]))['Degraded']).to.equal(reason);
    });
  }

  it('say of no node at all that nothing is known', () => {
    expect(said(statusOf(waiting, []))['Degraded']).to.equal('Unknown NodesStarting');
    expect(said(statusOf(done, []))).to.include({ Ready: 'False NoNodeReady' });
  });

  it('are not ready while the nodes run another version than the manifest names', () => {
    const status = statusOf(done, [nodeWith({ wantedVersion: '9.9.9' })]);
    expect(said(status)).to.include({
      Ready: 'False VersionMismatch',
      Stalled: 'True VersionMismatch',
      Available: 'True Serving',
    });
    const ready = status.conditions?.find(({ type }) => type === 'Ready');
    expect(ready?.message).to.contain('spec.version is 9.9.9, but orders-main-0-0 runs 0.1.0');
    expect(status.version).to.equal('0.1.0');
  });

  it('are not available while the Service does not lead to the nodes', () => {
    const facts = { outcome: done, nodes: [nodeWith()], serviceFault: 'port 28015 is missing' };
    expect(said(clusterStatus(facts, first))).to.include({
      Ready: 'False ServiceWrong',
      Available: 'False ServiceWrong',
      Reconciling: 'True Progressing',
    });
  });

  it('are stalled by permanent trouble, and report it', () => {
    const trouble = troubleWith('quota', { reason: reasons.quotaExceeded, isCertain: true });
    const status = statusOf(waiting, [nodeWith({ pod: null, trouble })]);
    expect(said(status)).to.include({
      Ready: 'False QuotaExceeded',
      Stalled: 'True QuotaExceeded',
      Reconciling: 'False Stalled',
    });
  });

  it('report trouble that may pass, and continue', () => {
    const trouble = troubleWith('0/3 nodes are available', { reason: reasons.unschedulable });
    const status = statusOf(waiting, [nodeWith({ pod: { isReady: false }, trouble })]);
    expect(said(status)).to.include({
      Ready: 'False Unschedulable',
      Reconciling: 'True Progressing',
      Stalled: 'False Progressing',
    });
    for (const { type, message } of status.conditions ?? []) {
      const isOfNodes = type === 'Degraded' || type === 'CertificatesExpiring';
      if (!isOfNodes) expect(message, type).to.contain('0/3 nodes are available');
    }
  });

  it('do not stall at the trouble of a pod that is about to be replaced', () => {
    const trouble = troubleWith('wrong image', { isCertain: true });
    const pod = { revision: 'old', isReady: false };
    expect(said(statusOf(waiting, [nodeWith({ pod, trouble })]))).to.include({
      Reconciling: 'True Progressing',
    });
  });

  it('report a failure that a node has recovered from', () => {
    const status = statusOf(done, [nodeWith({ pod: { incident: 'OOMKilled, a limit of 1Gi' } })]);
    const degraded = status.conditions?.find(({ type }) => type === 'Degraded');
    expect(degraded).to.include({ status: 'False' });
    expect(degraded?.message).to.contain('has recovered: OOMKilled, a limit of 1Gi');
    expect(said(status)).to.include({ Ready: 'True Fulfilled' });
  });

  it('carry the generation they speak of, and keep the time of their last transition', () => {
    const before = clusterStatus({ outcome: waiting, nodes: [nodeWith()] }, first);
    const after = clusterStatus({ outcome: done, nodes: [nodeWith()] }, later, before);
    for (const { type, lastTransitionTime, observedGeneration } of after.conditions ?? []) {
      const hasChanged = type === 'Ready' || type === 'Reconciling';
      expect(lastTransitionTime, type).to.equal(hasChanged ? later.now : first.now);
      expect(observedGeneration).to.equal(1);
    }
  });

  it('never outgrow the limit of the schema', () => {
    const outcome: Outcome = { type: 'wait', message: 'x'.repeat(10_000) };
    for (const { message } of statusOf(outcome).conditions ?? []) {
      expect(message.length).to.be.at.most(4096);
    }
  });
});

describe('the first status of a generation', () => {
  it('takes back that the former one was ready, and says that there is work', () => {
    const before = statusOf(done);
    const status = firstStatus({ generation: 2, now: later.now }, before);
    expect(status.observedGeneration).to.equal(2);
    expect(said(status)).to.include({
      Ready: 'Unknown NewGeneration',
      Reconciling: 'True NewGeneration',
      Stalled: 'False NewGeneration',
    });
  });

  it('keeps what the former nodes report: that the database serves, and how many', () => {
    const before = statusOf(done);
    const status = firstStatus({ generation: 2, now: later.now }, before);
    expect(said(status)).to.include({ Available: 'True Serving' });
    expect(status.nodes).to.deep.equal(before.nodes);
  });

  it('has every condition from the first moment, so that no missing one is mistaken for True', () => {
    expect(Object.keys(said(firstStatus(first)))).to.have.members(
      Object.keys(said(statusOf(done))),
    );
  });
});

describe('the counters', () => {
  it('count nodes that serve the wanted revision, and the silent ones', () => {
    const nodes = [
      nodeWith({ name: 'a' }),
      nodeWith({ name: 'b', isHeard: false }),
      nodeWith({ name: 'c', pod: null }),
    ];
    expect(statusOf(waiting, nodes).nodes).to.deep.equal({
      ready: 1,
      wanted: 3,
      unknown: 1,
      summary: '1/3',
    });
  });

  it('name the version only while all nodes run the same', () => {
    expect(statusOf(done).version).to.equal('0.1.0');
    const mixed = [nodeWith(), nodeWith({ report: { version: '0.2.0' } })];
    expect(statusOf(waiting, mixed)).to.not.have.property('version');
    for (const silent of [{ report: null }, { pod: null }, { pod: { isReady: false } }]) {
      expect(statusOf(waiting, [nodeWith(), nodeWith(silent)])).to.not.have.property('version');
    }
  });

  it('count the pods of a pool as a StatefulSet does', () => {
    const nodes = [
      nodeWith(),
      nodeWith({ pod: { revision: 'old' } }),
      nodeWith({ pod: { isReady: false } }),
      nodeWith({ pod: null }),
    ];
    expect(poolStatus(nodes, { generation: 3, selector: 'a=b' })).to.deep.equal({
      observedGeneration: 3,
      replicas: 3,
      readyReplicas: 2,
      updatedReplicas: 2,
      selector: 'a=b',
    });
  });
});

describe('heartbeats', () => {
  const minuteMs = 60_000;

  it('count a node as silent after three missed refreshes, by the own clock', () => {
    const heartbeats = new Heartbeats();
    heartbeats.see('u', 'a time of a clock that is years behind', 0);
    expect(heartbeats.isHeard('u', 3 * minuteMs)).to.equal(true);
    expect(heartbeats.isHeard('u', 5 * minuteMs)).to.equal(false);
  });

  it('are renewed by another heartbeat, not by the same one seen again', () => {
    const heartbeats = new Heartbeats();
    heartbeats.see('u', 'one', 0);
    heartbeats.see('u', 'one', 4 * minuteMs);
    expect(heartbeats.isHeard('u', 5 * minuteMs)).to.equal(false);
    heartbeats.see('u', 'two', 5 * minuteMs);
    expect(heartbeats.isHeard('u', 6 * minuteMs)).to.equal(true);
  });

  it('give a node that was never seen the benefit of the doubt, and forget one that is gone', () => {
    const heartbeats = new Heartbeats();
    expect(heartbeats.isHeard('u', 10 * minuteMs)).to.equal(true);
    heartbeats.see('u', 'one', 0);
    heartbeats.forget('u');
    expect(heartbeats.size).to.equal(0);
  });
});
