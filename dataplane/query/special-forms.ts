import type { Node, Scope } from './compiled.ts';
import { logic, isMissing } from './failure.ts';
import { constant, lazy, runNow } from './node.ts';
import { FunctionValue, isSequence, RowValue, truth } from './value.ts';
import type { Value } from './value.ts';

/** Terms that decide which of their arguments they evaluate. */

/** The first branch whose test holds; each test and branch is evaluated only when it is reached. */
export function branch(nodes: readonly Node[], term: number): Node {
  return lazy(nodes, term, {
    now: (scope) => {
      const last = lastOf(nodes);
      for (let test = 0; test < last; test += 2) {
        if (truth(runNow(nodes[test] as Node, scope)))
          return runNow(nodes[test + 1] as Node, scope);
      }
      return runNow(nodes[last] as Node, scope);
    },
    later: async (scope) => {
      const last = lastOf(nodes);
      for (let test = 0; test < last; test += 2) {
        if (truth(await (nodes[test] as Node).run(scope)))
          return (nodes[test + 1] as Node).run(scope);
      }
      return (nodes[last] as Node).run(scope);
    },
  });
}

function lastOf(nodes: readonly Node[]): number {
  if (nodes.length % 2 === 0)
    throw logic('Cannot call `branch` term with an even number of arguments.');
  return nodes.length - 1;
}

/** `branch` with `args` in it: those are spread first. */
export function spreadBranch(nodes: readonly Node[], argsTerm: number, term: number): Node {
  const whole = branch(nodes, term);
  const run = async (scope: Scope): Promise<Value> => {
    const spread: Node[] = [];
    for (const node of nodes) {
      if (node.term !== argsTerm) spread.push(node);
      else
        for (const value of (await node.run(scope)) as Value[])
          spread.push(constant(value as never));
    }
    if (spread.length < 3) throw logic(`Expected 3 or more arguments but found ${spread.length}.`);
    return branch(spread, term).run(scope);
  };
  return { ...whole, pure: false, run };
}

/** `or` stops at the first that is true, `and` at the first that is not. */
export function logical(nodes: readonly Node[], term: number, stopAt: boolean): Node {
  return lazy(nodes, term, {
    now: (scope) => {
      let value: Value = !stopAt;
      for (const node of nodes) {
        value = runNow(node, scope);
        if (truth(value) === stopAt) return value;
      }
      return value;
    },
    later: async (scope) => {
      let value: Value = !stopAt;
      for (const node of nodes) {
        value = await node.run(scope);
        if (truth(value) === stopAt) return value;
      }
      return value;
    },
  });
}

const isNull = (result: Value): boolean =>
  result === null || (result instanceof RowValue && result.row === undefined);

/** Null, and what does not exist, give way to the second; an empty `error()` in it raises the first again. */
export function fallback([value, otherwise]: readonly [Node, Node], term: number): Node {
  const instead = (scope: Scope, failure: unknown): Value | Promise<Value> => {
    const reason = failure instanceof Error ? failure.message : null;
    const called = (result: Value): Value | Promise<Value> =>
      result instanceof FunctionValue ? result.call(result.arity === 0 ? [] : [reason]) : result;
    const again = (error: unknown): never => {
      const empty = error instanceof Error && error.message === emptyErrorMessage;
      throw empty && failure !== undefined ? (failure as Error) : (error as Error);
    };
    const kept = (error: unknown): Value => {
      if (error instanceof Error && error.message === emptyErrorMessage && failure === undefined)
        return null;
      return again(error);
    };
    try {
      const chosen = otherwise.run(scope);
      if (chosen instanceof Promise) return chosen.then(called).catch(kept);
      const result = called(chosen);
      return result instanceof Promise ? result.catch(kept) : result;
    } catch (error) {
      return kept(error);
    }
  };
  return lazy([value, otherwise], term, {
    now: (scope) => {
      try {
        const result = runNow(value, scope);
        if (!isNull(result)) return result;
      } catch (error) {
        if (!isMissing(error)) throw error;
        return instead(scope, error) as Value;
      }
      return instead(scope, undefined) as Value;
    },
    later: async (scope) => {
      try {
        const result = await value.run(scope);
        if (!isNull(result) || isSequence(result)) return result;
      } catch (error) {
        if (!isMissing(error)) throw error;
        return instead(scope, error);
      }
      return instead(scope, undefined);
    },
  });
}

/** What `error()` without a message raises. */
export const emptyErrorMessage = 'Empty ERROR term outside a default block.';

/** Whether it asks for the error again that a default was to replace. */
export const isEmptyError = (error: unknown): boolean =>
  error instanceof Error && error.message === emptyErrorMessage;
