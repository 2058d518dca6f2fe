import type { Environment } from './environment.ts';
import type { Frame } from './errors.ts';
import type { Value } from './value.ts';

/**
 * A term as a closure. `pure` is known when the query is compiled: a pure node evaluates without
 * waiting and touches no table, so that whole batches run through it in one go.
 */
export interface Node {
  readonly pure: boolean;
  readonly run: (scope: Scope) => Value | Promise<Value>;
  /** What the term is, for the few that look at their arguments before evaluating them. */
  readonly term: number | undefined;
}

/** The values of a function's parameters, and the function around it. */
export interface Scope {
  readonly values: readonly Value[];
  readonly outer: Scope | undefined;
}

export const noScope: Scope = { values: [], outer: undefined };

/** What a query carries while it runs. */
export interface Context {
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly user: string;
  readonly arrayLimit: number;
  readonly durability: 'hard' | 'soft' | undefined;
  /** The database of tables that name none. */
  readonly database: string;
}

export interface TermCall {
  readonly context: Context;
  readonly args: readonly Value[];
  readonly options: ReadonlyMap<string, Value>;
}

/** How a term evaluates once its arguments are values. */
export interface TermDefinition {
  /** Smallest and largest number of arguments. */
  readonly arity: readonly [least: number, most: number];
  readonly options?: readonly string[];
  /** Whether it reads or writes outside its arguments, and so must be awaited. */
  readonly effects?: boolean;
  /** Sees grouped values itself, in place of being applied to each group. */
  readonly grouped?: boolean;
  /** Arguments that are functions of one parameter when they are something else: position -> how. */
  readonly run: (call: TermCall) => Value | Promise<Value>;
}

export type TermTable = ReadonlyMap<number, TermDefinition>;

export interface CompileScope {
  readonly parameters: readonly number[];
  readonly outer: CompileScope | undefined;
}

export type Path = readonly Frame[];
