import type { Determinism } from './determinism.ts';
import type { Value } from './value.ts';

/**
 * A term as a closure. `pure` is known when the query is compiled: a pure node touches no table. It waits
 * for nothing but the next slice of its query.
 */
export interface Node {
  readonly pure: boolean;
  readonly determinism: Determinism;
  readonly run: (scope: Scope) => Value | Promise<Value>;
  /** What the term is, for the few that look at their arguments before evaluating them. */
  readonly term: number | undefined;
  /** It is data: the same value in every scope. */
  readonly isConstant?: boolean;
}

/** The values of a function's parameters, and the function around it. */
export interface Scope {
  readonly values: readonly Value[];
  readonly outer: Scope | undefined;
}

export const noScope: Scope = { values: [], outer: undefined };
