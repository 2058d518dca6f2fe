import { expect } from 'chai';
import { KubeError } from '../kube/errors.ts';
import { Failures, outcomeOf } from './outcome.ts';
import { complete } from './task-result.ts';
import type { TaskResult } from './task-result.ts';

const broken = new KubeError('kube.unavailable', 'failed calling webhook "gate"', { status: 500 });
const lag = new KubeError('kube.conflict', 'the object has been modified', { status: 409 });
const minuteMs = 60_000;
const refused: TaskResult = { type: 'fail', reason: 'Refused', message: 'no' };

describe('the outcome of a reconcile', () => {
  it('is that of its tasks', () => {
    expect(outcomeOf(complete, undefined, 0)).to.deep.equal({ type: 'complete' });
    expect(outcomeOf(refused, undefined, 0)).to.deep.equal(refused);
    const retry: TaskResult = { type: 'retry', message: 'leaving', afterMs: 2 };
    expect(outcomeOf(retry, undefined, 0)).to.deep.equal({ type: 'wait', message: 'leaving' });
  });

  it('reports a failure of the API server, with its message', () => {
    const outcome = outcomeOf(complete, broken, 0);
    expect(outcome).to.include({ type: 'wait', reason: 'ApiServerFails' });
    expect(outcome).to.have.property('message').that.contains('failed calling webhook "gate"');
  });

  it('is stuck when the failure lasts', () => {
    expect(outcomeOf(complete, broken, minuteMs)).to.include({ type: 'wait' });
    expect(outcomeOf(complete, broken, minuteMs + 1)).to.include({
      type: 'fail',
      reason: 'ApiServerFails',
    });
  });

  it('is silent about a cache that lags behind, unless it lasts', () => {
    expect(outcomeOf(complete, lag, 0)).to.equal(undefined);
    expect(outcomeOf(complete, lag, 2 * minuteMs)).to.include({ type: 'fail' });
  });

  it('reports a refusal rather than a failure, because it needs manual action', () => {
    expect(outcomeOf(refused, broken, 0)).to.deep.equal(refused);
  });
});

describe('failures in a row', () => {
  it('last from the first to the latest, and end with a success', () => {
    const failures = new Failures();
    expect(failures.note('a', true, 1_000)).to.equal(0);
    expect(failures.note('a', true, 5_000)).to.equal(4_000);
    expect(failures.note('b', true, 6_000)).to.equal(0);
    expect(failures.note('a', false, 7_000)).to.equal(0);
    expect(failures.note('a', true, 8_000)).to.equal(0);
  });
});
