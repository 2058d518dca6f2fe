/**
 * What the API server refuses for a reason in the request: a schema, an admission policy, a quota, a
 * missing permission. A retry does not help, so the status names the object and the reason.
 */
import type { Reason } from '../api/conditions.ts';
import { reasons } from '../api/conditions.ts';
import { isKubeError } from '../kube/errors.ts';
import { namesQuota } from '../status/trouble.ts';
import type { TaskResult } from './task-result.ts';

/** Undefined for errors that may be transient. `what` names the object. */
export function refusalOf(error: unknown, what?: string): TaskResult | undefined {
  if (!isKubeError(error, 'kube.invalid', 'kube.forbidden', 'kube.bad_request', 'kube.rejected')) {
    return undefined;
  }
  const isQuota = namesQuota(error.message);
  const reason: Reason = isQuota ? reasons.quotaExceeded : reasons.refused;
  const object = what === undefined ? '' : ` ${what}`;
  const message = `the API server refuses${object}: ${error.message}`;
  return { type: 'fail', reason, message };
}
