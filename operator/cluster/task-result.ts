import type { Reason } from '../api/conditions.ts';

/** What a task of a reconcile ends in. */
export type TaskResult =
  | { readonly type: 'complete' }
  /** Something must happen first; its event triggers the next reconcile. */
  | { readonly type: 'wait'; readonly message: string }
  /** The same, without an event: reconcile again after this time. */
  | { readonly type: 'retry'; readonly message: string; readonly afterMs: number }
  /** The user has to change something. */
  | { readonly type: 'fail'; readonly reason: Reason; readonly message: string };

export const complete: TaskResult = Object.freeze({ type: 'complete' });
