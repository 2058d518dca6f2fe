import { expect } from 'chai';
import { AnswerLostError, NotSentError } from './errors.ts';
import { faultOf, nextStep, retryBudgetMs } from './retry.ts';
import type { Attempt, Step } from './retry.ts';

const attempt = (more: Partial<Attempt>): Attempt => ({
  operation: 'read',
  fault: 'notCarriedOut',
  failures: 0,
  elapsedMs: 0,
  hasHint: false,
  random: 0.5,
  ...more,
});

describe('the decision to repeat a request to a shard', () => {
  it('takes what was not sent, and what was not answered, for what they are; all else is an answer', () => {
    expect(faultOf(new NotSentError('x'))).to.equal('notCarriedOut');
    expect(faultOf(new AnswerLostError('x'))).to.equal('unknown');
    expect(faultOf(new Error('x'))).to.equal('final');
  });

  const table: readonly (readonly [about: string, Partial<Attempt>, Step['type']])[] = [
    ['a read that was not sent', {}, 'retry'],
    ['a read without an answer', { fault: 'unknown' }, 'retry'],
    ['a write that was not sent', { operation: 'write' }, 'retry'],
    ['a write without an answer', { operation: 'write', fault: 'unknown' }, 'unknownOutcome'],
    ['a failure of a read', { fault: 'final' }, 'final'],
    ['a failure of a write', { operation: 'write', fault: 'final' }, 'final'],
    ['a read whose time is over', { elapsedMs: retryBudgetMs }, 'unavailable'],
    [
      'a write whose time is over, and that was not sent',
      { operation: 'write', elapsedMs: retryBudgetMs },
      'unavailable',
    ],
    [
      'a write whose time is over, and that may have been carried out',
      { operation: 'write', fault: 'unknown', elapsedMs: retryBudgetMs },
      'unknownOutcome',
    ],
    [
      'a failure whose time is over',
      { operation: 'write', fault: 'final', elapsedMs: retryBudgetMs },
      'final',
    ],
  ];
  for (const [about, given, wanted] of table) {
    it(`${about}: ${wanted}`, () => {
      expect(nextStep(attempt(given)).type).to.equal(wanted);
    });
  }

  it('pauses longer from failure to failure, never beyond the time that is left', () => {
    const pauses = [0, 1, 2, 3, 4, 5, 6].map((failures) => nextStep(attempt({ failures })));
    const times = pauses.map((step) => (step.type === 'retry' ? step.afterMs : -1));
    expect(times).to.deep.equal([15, 30, 60, 120, 240, 375, 375]);
    const late = nextStep(attempt({ failures: 9, elapsedMs: retryBudgetMs - 7 }));
    expect(late).to.deep.equal({ type: 'retry', afterMs: 7 });
  });

  it('follows hints at once, but not in a circle', () => {
    const pauses = [0, 3, 4, 5].map((failures) => nextStep(attempt({ failures, hasHint: true })));
    expect(pauses.map((step) => step.type === 'retry' && step.afterMs === 0)).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
  });
});
