import { expect } from 'chai';
import * as fc from 'fast-check';
import { isCurrent } from '../api/node-view.ts';
import type { NodeView } from '../api/node-view.ts';
import { nodeWith, troubleWith, wantedRevision } from '../api/testing/clusters.ts';
import { decideRollout } from './rollout.ts';

const hourMs = 3_600_000;
const outdated = (name: string, isReady = true): NodeView =>
  nodeWith({ name, pod: { revision: 'old', isReady }, report: { revision: 'old' } });

describe('the roller', () => {
  it('has nothing to do when every node serves the wanted revision', () => {
    expect(decideRollout([nodeWith(), nodeWith({ name: 'b' })])).to.deep.equal({ type: 'settled' });
  });

  it('replaces one outdated pod, the last of them, and says which revision it ran', () => {
    const decision = decideRollout([outdated('a'), outdated('b'), nodeWith({ name: 'c' })]);
    expect(decision.type).to.equal('replace');
    expect(decision).to.have.nested.property('node.name', 'b');
    expect(decision).to.have.property('message').that.contains('it runs old, wanted is new');
  });

  it('replaces a broken outdated pod before a serving one, so that a repair reaches it', () => {
    const decision = decideRollout([outdated('a', false), outdated('b')]);
    expect(decision).to.have.nested.property('node.name', 'a');
  });

  const waits: readonly [about: string, node: NodeView, words: string][] = [
    ['a pod that is not there yet', nodeWith({ pod: null }), 'is not there yet'],
    ['a pod that is stopping', nodeWith({ pod: { isTerminating: true } }), 'is stopping'],
    ['a pod that is not ready', nodeWith({ pod: { isReady: false } }), 'is not ready'],
    [
      'a pod whose image cannot be pulled, in the words of Kubernetes',
      nodeWith({ pod: { isReady: false }, trouble: troubleWith('ErrImagePull: no such image') }),
      'ErrImagePull: no such image',
    ],
    ['a node that has never reported', nodeWith({ report: null }), 'has not reported yet'],
    [
      'a node that still reports its old revision',
      nodeWith({ report: { revision: 'old' } }),
      'has not reported its new revision yet',
    ],
    [
      'a node that is not well, in its own words',
      nodeWith({ report: { health: 'Degraded', message: 'a slow disk' } }),
      'reports Degraded: a slow disk',
    ],
    ['a node that has gone silent', nodeWith({ isHeard: false }), 'has not reported'],
  ];
  for (const [about, node, words] of waits) {
    it(`touches nothing else while it waits for ${about}`, () => {
      const decision = decideRollout([node, outdated('b')]);
      expect(decision.type).to.equal('wait');
      expect(decision).to.have.property('message').that.contains(words);
      expect(decision).to.have.property('message').that.contains('1 more to replace');
    });
  }

  for (const state of ['Settling', 'CatchingUp', 'Degraded', 'Unavailable'] as const) {
    const health = state === 'Degraded' || state === 'Unavailable' ? 'Degraded' : 'Ready';
    const replicas = { state, message: 'a replica on node c catches up' };
    const pod = { unchangedMs: hourMs };
    it(`waits for replicas that are ${state}, whoever reports it, and never gives up on them`, () => {
      const current = nodeWith({ pod, report: { health, message: replicas.message, replicas } });
      const leader = nodeWith({
        name: 'a',
        pod: { ...pod, revision: 'old' },
        report: { revision: 'old', health, replicas },
      });
      for (const nodes of [
        [current, outdated('b')],
        [leader, outdated('b')],
        [outdated('b'), leader],
      ]) {
        const decision = decideRollout(nodes);
        expect(decision.type).to.equal('wait');
        expect(decision).to.have.property('message').that.contains('replica on node c catches up');
        expect(decision).to.have.property('message').that.contains('more to replace');
      }
    });

    it(`replaces an outdated pod that does not serve while replicas are ${state}`, () => {
      const leader = nodeWith({
        name: 'a',
        pod: { revision: 'old' },
        report: { revision: 'old', health, replicas },
      });
      const decision = decideRollout([leader, outdated('b', false)]);
      expect(decision).to.include({ type: 'replace' });
      expect(decision).to.have.nested.property('node.name', 'b');
    });
  }

  it('is done when a leader is elected and nothing is outdated: a new table is no rollout', () => {
    const report = {
      replicas: { state: 'Settling', message: 'the leader is not known yet' },
    } as const;
    expect(decideRollout([nodeWith({ report })])).to.deep.equal({ type: 'settled' });
  });

  const overdue = { unchangedMs: hourMs };
  const stops: readonly [about: string, node: NodeView, reason: string, words: string][] = [
    [
      'a pod that does not come back',
      nodeWith({ pod: { isReady: false, ...overdue } }),
      'RolloutStopped',
      'the rollout has stopped: pod orders-main-0-0 is not ready',
    ],
    [
      'a pod in trouble, by its reason',
      nodeWith({
        pod: { isReady: false, ...overdue },
        trouble: troubleWith('no room', { reason: 'Unschedulable' }),
      }),
      'Unschedulable',
      'is not ready: no room',
    ],
    [
      'a node that reports that it is degraded',
      nodeWith({ pod: overdue, report: { health: 'Degraded', message: 'the disk is full' } }),
      'NodesUnhealthy',
      'reports Degraded: the disk is full',
    ],
    [
      'a node that is silent',
      nodeWith({ pod: overdue, isHeard: false }),
      'NodesUnknown',
      'has not reported',
    ],
  ];
  for (const [about, node, reason, words] of stops) {
    it(`stops at ${about}, and says so`, () => {
      const decision = decideRollout([node, outdated('b')]);
      expect(decision).to.include({ type: 'stopped', reason });
      expect(decision).to.have.property('message').that.contains(words);
      expect(decision).to.have.property('message').that.contains('1 more to replace');
    });
  }

  it('says of a pod that starts what its node reports', () => {
    const report = { health: 'Starting', message: 'replayed 3 of 9 MiB' };
    const decision = decideRollout([nodeWith({ pod: { isReady: false }, report })]);
    expect(decision).to.have.property('message').that.contains('not ready: replayed 3 of 9 MiB');
    const former = { ...report, revision: 'old' };
    const silent = decideRollout([nodeWith({ pod: { isReady: false }, report: former })]);
    expect(silent).to.have.property('message').that.does.not.contain('MiB');
  });

  it('never gives up on a pod that stops slowly', () => {
    const slow = nodeWith({ pod: { isTerminating: true, unchangedMs: hourMs } });
    expect(decideRollout([slow]).type).to.equal('wait');
  });

  it('replaces only what is outdated, and only while every other node serves', () => {
    const anyNode = fc
      .record({
        revision: fc.constantFrom('old', wantedRevision),
        reported: fc.constantFrom('old', wantedRevision, undefined),
        isReady: fc.boolean(),
        isTerminating: fc.boolean(),
        isHeard: fc.boolean(),
        unchangedMs: fc.constantFrom(0, hourMs),
        hasPod: fc.boolean(),
      })
      .map(({ reported, isHeard, hasPod, ...pod }) =>
        nodeWith({
          isHeard,
          pod: hasPod ? pod : null,
          report: reported === undefined ? null : { revision: reported },
        }),
      );
    fc.assert(
      fc.property(fc.array(anyNode, { maxLength: 5 }), (nodes) => {
        const named = nodes.map((node, index) => ({ ...node, name: `n${index}` }));
        const decision = decideRollout(named);
        if (decision.type === 'settled') return named.every(isCurrent);
        if (decision.type !== 'replace') return true;
        const others = named.filter(({ name }) => name !== decision.node.name);
        return (
          decision.node.pod?.revision === 'old' &&
          others.every((node) => isCurrent(node) || node.pod?.revision === 'old')
        );
      }),
    );
  });

  it('comes to an end when each replaced pod comes back', () => {
    let nodes = ['a', 'b', 'c', 'd'].map((name) => outdated(name));
    const replaced: string[] = [];
    for (let step = 0; step < 10; step += 1) {
      const decision = decideRollout(nodes);
      if (decision.type !== 'replace') break;
      const { name } = decision.node;
      replaced.push(name);
      expect(
        decideRollout(
          nodes.map((node) => (node.name === name ? nodeWith({ name, pod: null }) : node)),
        ).type,
      ).to.equal('wait');
      nodes = nodes.map((node) => (node.name === name ? nodeWith({ name }) : node));
    }
    expect(replaced).to.deep.equal(['d', 'c', 'b', 'a']);
    expect(decideRollout(nodes).type).to.equal('settled');
  });
});
