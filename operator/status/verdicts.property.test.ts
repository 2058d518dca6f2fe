import * as fc from 'fast-check';
import { expect } from 'chai';
import { reasons } from '../api/conditions.ts';
import type { NodeView, Trouble } from '../api/node-view.ts';
import { clusterStatus, firstStatus } from './cluster-status.ts';
import type { Condition } from './conditions.ts';
import type { Observed, Outcome } from './verdicts.ts';

/** Any state that can be observed, also those that no real cluster passes through. */
const reason = fc.constantFrom(...Object.values(reasons));
const sentence = fc
  .string({ minLength: 1, maxLength: 40 })
  .map((text) => `this is the reason: ${text}`);

const trouble: fc.Arbitrary<Trouble> = fc.record({
  reason,
  message: sentence,
  isCertain: fc.boolean(),
});

const revision = fc.constantFrom('old', 'new');
const version = fc.constantFrom('0.1.0', '9.9.9');

const node: fc.Arbitrary<NodeView> = fc.record(
  {
    name: fc.constantFrom('a-main-0-0', 'a-main-0-1', 'a-main-0-2'),
    pool: fc.constant('main'),
    roles: fc.subarray(['data', 'coordinator', 'consensus']),
    wantedRevision: fc.constant('new'),
    wantedVersion: fc.constant('0.1.0'),
    isHeard: fc.boolean(),
    trouble,
    pod: fc.record(
      {
        uid: fc.constant('u'),
        revision,
        isReady: fc.boolean(),
        isTerminating: fc.boolean(),
        unchangedMs: fc.nat(),
        incident: sentence,
      },
      { requiredKeys: ['uid', 'isReady', 'isTerminating', 'unchangedMs'] },
    ),
    report: fc.record(
      {
        health: fc.constantFrom('Starting', 'Ready', 'Degraded', 'Quarantined', 'Stopping'),
        message: sentence,
        version,
        revision,
        isLogCorrupt: fc.boolean(),
        id: fc.constantFrom('i1', 'i2', 'i3'),
        peers: fc.array(
          fc.record({
            id: fc.constantFrom('i1', 'i2', 'i3'),
            state: fc.constantFrom('Alive', 'Suspect', 'Dead', 'Left', 'Quarantined'),
          }),
          { maxLength: 2 },
        ),
        replicas: fc.record({
          state: fc.constantFrom('Ok', 'Settling', 'CatchingUp', 'Degraded', 'Unavailable'),
          message: sentence,
        }),
      },
      { requiredKeys: ['isLogCorrupt'] },
    ),
  },
  {
    requiredKeys: ['name', 'pool', 'roles', 'wantedRevision', 'wantedVersion', 'isHeard'],
  },
);

/** Without these, next to none of the states would be a good one. */
const healthy: fc.Arbitrary<NodeView> = node.map((each) => ({
  name: each.name,
  pool: each.pool,
  roles: ['data'],
  wantedRevision: 'new',
  wantedVersion: each.wantedVersion,
  isHeard: true,
  pod: { uid: 'u', revision: 'new', isReady: true, isTerminating: false, unchangedMs: 0 },
  report: { health: 'Ready', version: '0.1.0', revision: 'new', isLogCorrupt: false },
}));

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constant<Outcome>({ type: 'complete' }),
  fc.record({ type: fc.constant('wait' as const), message: sentence }),
  fc.record({ type: fc.constant('fail' as const), reason, message: sentence }),
);

const observed: fc.Arbitrary<Observed> = fc.record({
  outcome,
  nodes: fc.array(fc.oneof(node, healthy), { maxLength: 4 }),
  serviceFault: fc.option(sentence, { nil: undefined, freq: 2 }),
});

const moment = { generation: 3, now: '2026-01-01T00:00:00Z' };

function byType(conditions: readonly Condition[] = []): Readonly<Record<string, Condition>> {
  return Object.fromEntries(conditions.map((condition) => [condition.type, condition]));
}

function statusOf(conditions: Readonly<Record<string, Condition>>, type: string): string {
  return conditions[type]?.status ?? 'missing';
}

/** What kstatus and the API conventions promise to those who wait. */
function expectConsistent(conditions: Readonly<Record<string, Condition>>): void {
  const is = (type: string): string => statusOf(conditions, type);
  expect(is('Reconciling') === 'True' && is('Stalled') === 'True', 'works and is stuck').to.equal(
    false,
  );
  if (is('Ready') === 'True') {
    expect(is('Available')).to.equal('True');
    expect(is('Reconciling')).to.equal('False');
    expect(is('Stalled')).to.equal('False');
    expect(is('Degraded')).to.equal('False');
  } else {
    expect([is('Reconciling'), is('Stalled')], 'nobody acts').to.include('True');
  }
  for (const { type, reason: why, message } of Object.values(conditions)) {
    expect(why, type).to.match(/^[A-Z][A-Za-z]+$/);
    expect(message.trim(), type).to.have.length.greaterThan(10);
    expect(message.length, type).to.be.at.most(4096);
  }
}

describe('the conditions of any observed state', () => {
  it('do not contradict each other, and each gives a reason', () => {
    fc.assert(
      fc.property(observed, (facts) => {
        const status = clusterStatus(facts, moment);
        const conditions = byType(status.conditions);
        expectConsistent(conditions);
        for (const { observedGeneration } of Object.values(conditions)) {
          expect(observedGeneration).to.equal(3);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('are ready exactly when all nodes report the wanted version and revision, and clients reach them', () => {
    let ready = 0;
    fc.assert(
      fc.property(observed, (facts) => {
        const { nodes, serviceFault } = facts;
        const status = clusterStatus(facts, moment);
        const isReady = statusOf(byType(status.conditions), 'Ready') === 'True';
        const isGood =
          facts.outcome.type === 'complete' &&
          serviceFault === undefined &&
          nodes.some(({ roles }) => roles.includes('data')) &&
          nodes.every(
            ({ pod, report, isHeard, trouble: bad }) =>
              pod?.isReady === true &&
              !pod.isTerminating &&
              pod.revision === 'new' &&
              isHeard &&
              bad?.isCertain !== true &&
              report?.health === 'Ready' &&
              report.version === '0.1.0' &&
              report.revision === 'new' &&
              !report.isLogCorrupt,
          );
        expect(isReady).to.equal(isGood);
        if (isReady) expect(status.version).to.equal('0.1.0');
        ready += Number(isReady);
      }),
      { numRuns: 2_000 },
    );
    expect(ready, 'the good states among the generated ones').to.be.greaterThan(20);
  });

  it('say that a node which does not report cannot be known to be well', () => {
    fc.assert(
      fc.property(observed, (facts) => {
        const conditions = byType(clusterStatus(facts, moment).conditions);
        if (statusOf(conditions, 'Degraded') !== 'False') return;
        expect(facts.nodes.length).to.be.greaterThan(0);
        for (const { pod, report } of facts.nodes) {
          expect(pod?.isReady).to.equal(true);
          expect(report?.revision).to.equal(pod?.revision);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('stay consistent in the first status of the next generation', () => {
    fc.assert(
      fc.property(observed, (facts) => {
        const next = { generation: 4, now: moment.now };
        const conditions = byType(firstStatus(next, clusterStatus(facts, moment)).conditions);
        expectConsistent(conditions);
        expect(statusOf(conditions, 'Ready')).to.equal('Unknown');
      }),
      { numRuns: 500 },
    );
  });
});
