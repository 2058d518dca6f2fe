/**
 * Carries out the tasks of a reconcile in their order. A task that is not complete holds back only
 * those that need it: a cluster whose Service is in dispute still gets larger volumes. Generic.
 */
import { KubeError, isKubeError } from '../kube/errors.ts';
import { refusalOf } from './refusal.ts';
import type { Context, Task } from './task.ts';
import type { TaskResult } from './task-result.ts';
import { complete } from './task-result.ts';

export interface Step {
  readonly task: Task;
  /** Tasks before it without which it can do nothing, or only harm. */
  readonly needs?: readonly Task[];
}

export interface Outcomes {
  readonly result: TaskResult;
  /** The first failure of the way to the API server, or a conflict: to be tried again. */
  readonly error?: KubeError;
}

/** A refusal is the user's to resolve, and is asked for again all the same. */
async function carryOut(task: Task, context: Context): Promise<TaskResult | KubeError> {
  try {
    return await task(context);
  } catch (error) {
    if (!isKubeError(error) || context.signal.aborted) throw error;
    return refusalOf(error) ?? error;
  }
}

type Incomplete = Exclude<TaskResult, { readonly type: 'complete' }>;

/** The combined outcome of all tasks: manual action first, then what is pending. */
export function combined(results: readonly TaskResult[]): TaskResult {
  const open = results.filter((each): each is Incomplete => each.type !== 'complete');
  const [first, ...others] = open.filter(({ type }) => type === 'fail');
  if (first?.type === 'fail') {
    // The same refusal may have been met by several tasks.
    const messages = new Set([first, ...others].map(({ message }) => message));
    return { ...first, message: [...messages].join('; ') };
  }
  const [awaited] = open;
  if (awaited === undefined) return complete;
  const delays = open.flatMap((each) => (each.type === 'retry' ? [each.afterMs] : []));
  if (delays.length === 0) return awaited;
  return { type: 'retry', message: awaited.message, afterMs: Math.min(...delays) };
}

export async function carryOutAll(steps: readonly Step[], context: Context): Promise<Outcomes> {
  const completed = new Set<Task>();
  const results: TaskResult[] = [];
  let failure: KubeError | undefined;
  for (const { task, needs = [] } of steps) {
    if (!needs.every((need) => completed.has(need))) continue;
    const result = await carryOut(task, context);
    if (result instanceof KubeError) {
      failure ??= result;
      continue;
    }
    results.push(result);
    if (result.type === 'complete') completed.add(task);
  }
  const result = combined(results);
  return failure === undefined ? { result } : { result, error: failure };
}
