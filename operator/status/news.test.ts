import { expect } from 'chai';
import { reasons } from '../api/conditions.ts';
import type { NodeView } from '../api/node-view.ts';
import { nodeWith, troubleWith } from '../api/testing/clusters.ts';
import { clusterStatus } from './cluster-status.ts';
import type { ClusterStatus } from './cluster-status.ts';
import { newsOf } from './news.ts';
import type { Outcome } from './verdicts.ts';

const moment = { generation: 1, now: '2026-01-01T00:00:00Z' };
const waiting: Outcome = { type: 'wait', message: 'pod a is not ready' };

function statusOf(outcome: Outcome, nodes: readonly NodeView[]): ClusterStatus {
  return clusterStatus({ outcome, nodes }, moment);
}

/** The news of going from one state to another. */
function news(
  [before, nodesBefore]: readonly [Outcome, readonly NodeView[]],
  [after, nodesAfter]: readonly [Outcome, readonly NodeView[]],
): readonly string[] {
  const [was, is] = [statusOf(before, nodesBefore), statusOf(after, nodesAfter)];
  return newsOf(was, is, nodesAfter).map(({ type, reason }) => `${type} ${reason}`);
}

const inTrouble = (message: string, isCertain: boolean): readonly NodeView[] => [
  nodeWith({
    pod: { isReady: false },
    trouble: troubleWith(message, { reason: reasons.evicted, isCertain }),
  }),
];
const failing = (message: string): Outcome => ({
  type: 'fail',
  reason: reasons.refused,
  message,
});

describe('the news of a status', () => {
  const good = [{ type: 'complete' }, [nodeWith()]] as const;
  const starting = [waiting, [nodeWith({ pod: null })]] as const;

  it('are none while nothing changes', () => {
    expect(news(good, good)).to.deep.equal([]);
    expect(news(starting, starting)).to.deep.equal([]);
  });

  it('are that it is fulfilled', () => {
    expect(news(starting, good)).to.deep.equal(['Normal Fulfilled']);
  });

  it('report that manual action is needed, and again when the cause changes', () => {
    const [one, other] = [failing('Service a'), failing('Service b')];
    const nodes = [nodeWith({ pod: null })];
    expect(news(starting, [one, nodes])).to.deep.equal(['Warning Refused']);
    expect(news([one, nodes], [other, nodes])).to.deep.equal(['Warning Refused']);
    expect(news([one, nodes], [one, nodes])).to.deep.equal([]);
  });

  it('are trouble that may pass, once', () => {
    const passing = [waiting, inTrouble('low on memory', false)] as const;
    expect(news(good, passing)).to.deep.equal(['Warning Evicted']);
    expect(news(passing, passing)).to.deep.equal([]);
    const full = [
      nodeWith({
        pod: { isReady: false },
        trouble: troubleWith('full', { reason: 'Unschedulable' }),
      }),
    ];
    expect(news(good, [waiting, full]), 'every pod waits for a machine').to.deep.equal([]);
  });

  it('are trouble that stays, as stalled and as degraded', () => {
    const certain = [waiting, inTrouble('low on memory', true)] as const;
    expect(news(good, certain)).to.deep.equal(['Warning Evicted', 'Warning Evicted']);
  });

  it('are a failure that was recovered from, once', () => {
    const recovered = [
      { type: 'complete' },
      [nodeWith({ pod: { incident: 'OOMKilled, a limit of 1Gi' } })],
    ] as const;
    expect(news(good, recovered)).to.deep.equal(['Warning OutOfMemory']);
    expect(news(recovered, recovered)).to.deep.equal([]);
  });
});
