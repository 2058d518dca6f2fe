import { expect } from 'chai';
import { reasons } from '../api/conditions.ts';
import { KubeError } from '../kube/errors.ts';
import { carryOutAll, combined } from './steps.ts';
import type { Context, Task } from './task.ts';
import type { TaskResult } from './task-result.ts';
import { complete } from './task-result.ts';

const wait = (message: string): TaskResult => ({ type: 'wait', message });
const fail = (message: string): TaskResult => ({ type: 'fail', reason: reasons.refused, message });
const retry = (message: string, afterMs: number): TaskResult => ({
  type: 'retry',
  message,
  afterMs,
});

const contextOf = (signal = new AbortController().signal): Context =>
  ({ signal }) as unknown as Context;

/** A task that is written down when it runs. */
function taskOf(ran: string[], name: string, end: TaskResult | Error = complete): Task {
  return async () => {
    ran.push(name);
    if (end instanceof Error) throw end;
    return end;
  };
}

describe('the steps of a reconcile', () => {
  let ran: string[];
  beforeEach(() => (ran = []));

  const open: readonly (readonly [about: string, end: TaskResult | Error])[] = [
    ['waits', wait('for a pod')],
    ['comes again later', retry('leaving', 10)],
    ['fails', fail('a wrong port')],
    ['is refused by the API server', new KubeError('kube.invalid', 'a wrong port')],
    ['meets a conflict', new KubeError('kube.conflict', 'changed meanwhile')],
    ['cannot reach the API server', new KubeError('kube.unavailable', 'no answer')],
  ];
  for (const [about, end] of open) {
    it(`go on beside a task that ${about}, and hold back what needs it`, async () => {
      const first = taskOf(ran, 'first', end);
      const needing = taskOf(ran, 'needing');
      const outcomes = await carryOutAll(
        [
          { task: first },
          { task: needing, needs: [first] },
          { task: taskOf(ran, 'further'), needs: [needing] },
          { task: taskOf(ran, 'independent') },
        ],
        contextOf(),
      );
      expect(ran).to.deep.equal(['first', 'independent']);
      expect(outcomes.result.type !== 'complete' || outcomes.error !== undefined).to.equal(true);
    });
  }

  it('name a failure of the way to the API server, and what the others came to', async () => {
    const error = new KubeError('kube.unavailable', 'no answer');
    const steps = [{ task: taskOf(ran, 'a', error) }, { task: taskOf(ran, 'b', wait('x')) }];
    expect(await carryOutAll(steps, contextOf())).to.deep.equal({ result: wait('x'), error });
  });

  it('end at once at an unexpected error, and when they are aborted', async () => {
    const stopped = new AbortController();
    stopped.abort();
    const cases: readonly (readonly [Error, AbortSignal | undefined])[] = [
      [new TypeError('a fault'), undefined],
      [new KubeError('kube.aborted', 'aborted'), stopped.signal],
    ];
    for (const [error, signal] of cases) {
      ran = [];
      const steps = [{ task: taskOf(ran, 'a', error) }, { task: taskOf(ran, 'b') }];
      const thrown = await carryOutAll(steps, contextOf(signal)).catch((e: unknown) => e);
      expect(thrown).to.equal(error);
      expect(ran).to.deep.equal(['a']);
    }
  });

  it('together report manual action first, then what is awaited', () => {
    expect(combined([complete, complete])).to.deep.equal(complete);
    expect(combined([wait('a'), fail('b'), wait('c'), fail('d'), fail('b')])).to.deep.equal(
      fail('b; d'),
    );
    expect(combined([wait('a'), complete, wait('b')])).to.deep.equal(wait('a'));
    expect(combined([wait('a'), retry('b', 20), retry('c', 10)])).to.deep.equal(retry('a', 10));
  });
});
