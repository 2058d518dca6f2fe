import type { Refusal } from '../environment.ts';
import { opFailed } from '../failure.ts';

/** What the catalog answered, or its refusal as an error. */
export function accepted<T extends object>(result: T | Refusal): T {
  if ('type' in result && result.type === 'refused') throw opFailed(result.message);
  return result as T;
}
