import type { Context } from './compiled.ts';
import type { Node, Scope } from './scope.ts';
import { logic, isMissing } from './failure.ts';
import { after, eachOf, whenDone } from './maybe-async.ts';
import { lazy } from './node.ts';
import { Term } from './term-table.ts';
import { isGrouped, overGroups } from './terms/grouping.ts';
import { truth } from './value-reading.ts';
import { BoundArray, FunctionValue, RowValue } from './value.ts';
import type { Value } from './value.ts';

/** Terms that decide which of their arguments they evaluate. */
export const isSpread = (node: Node): boolean => node.term === Term.ARGS;

/** What `args` stands for. */
export const spreadItems = (value: Value): readonly Value[] =>
  value instanceof BoundArray ? value.items : (value as readonly Value[]);

/** A form of which the value of the first argument is there already, or evaluated like the others. */
type Form = (scope: Scope, first: Value | undefined) => Value | Promise<Value>;

/** A grouped first argument: the form is that of each group. */
function overFirst(nodes: readonly Node[], form: Form, context: Context): Node['run'] {
  const [head] = nodes;
  if (head === undefined || isSpread(head)) return (scope) => form(scope, undefined);
  return (scope) =>
    whenDone(head.run(scope), (first) =>
      isGrouped(first)
        ? overGroups(first, context, (value) => form(scope, value))
        : form(scope, first),
    );
}

/** What has no effects has no groups. */
function special(nodes: readonly Node[], term: number, form: Form, context: Context): Node {
  const node = lazy(nodes, term, (scope) => form(scope, undefined));
  return node.pure ? node : { ...node, run: overFirst(nodes, form, context) };
}

/** The first branch whose test holds; each test and branch is evaluated only when it is reached. */
export function branch(nodes: readonly Node[], context: Context): Node {
  const last = nodes.length - 1;
  const from = (scope: Scope, start: number, first: Value | undefined): Value | Promise<Value> => {
    for (let at = start; at < last; at += 2) {
      const test = at === 0 && first !== undefined ? first : (nodes[at] as Node).run(scope);
      if (test instanceof Promise)
        return test.then((value) =>
          truth(value) ? (nodes[at + 1] as Node).run(scope) : from(scope, at + 2, undefined),
        );
      if (truth(test)) return (nodes[at + 1] as Node).run(scope);
    }
    return (nodes[last] as Node).run(scope);
  };
  const form: Form = (scope, first) => {
    if (nodes.length % 2 === 0)
      throw logic('Cannot call `branch` term with an even number of arguments.');
    return from(scope, 0, first);
  };
  return special(nodes, Term.BRANCH, form, context);
}

/** `branch` with `args` in it: those are spread first. */
export function spreadBranch(nodes: readonly Node[], context: Context): Node {
  const given = (value: Value): Node => ({
    pure: true,
    determinism: 0,
    term: undefined,
    run: () => value,
  });
  const run = (scope: Scope): Value | Promise<Value> => {
    const own: Node[] = [];
    const spread = eachOf(nodes, context.work, (node) => {
      if (!isSpread(node)) return void own.push(node);
      return whenDone(node.run(scope), (value) => {
        for (const item of spreadItems(value)) own.push(given(item));
      });
    });
    return after(spread, () => {
      if (own.length < 3) throw logic(`Expected 3 or more arguments but found ${own.length}.`);
      return branch(own, context).run(scope);
    });
  };
  return { ...branch(nodes, context), pure: false, run };
}

/** `or` stops at the first that is true, `and` at the first that is not; those of `args` count each. */
export function logical(nodes: readonly Node[], term: number, context: Context): Node {
  const stopAt = term === Term.OR;
  const form: Form = (scope, first) => {
    let last: Value = !stopAt;
    const stops = (value: Value): boolean => {
      last = value;
      return truth(value) === stopAt;
    };
    const done = eachOf(nodes, context.work, (node, at) => {
      const value = at === 0 && first !== undefined ? first : node.run(scope);
      return whenDone(value, (found) =>
        isSpread(node) ? spreadItems(found).some(stops) : stops(found),
      );
    });
    return after(done, () => last);
  };
  return special(nodes, term, form, context);
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
  const missing = (scope: Scope, error: unknown): Value | Promise<Value> => {
    if (!isMissing(error)) throw error;
    return instead(scope, error);
  };
  const kept = (scope: Scope, result: Value): Value | Promise<Value> =>
    isNull(result) ? instead(scope, undefined) : result;
  return lazy([value, otherwise], term, (scope) => {
    let result: Value | Promise<Value>;
    try {
      result = value.run(scope);
    } catch (error) {
      return missing(scope, error);
    }
    return result instanceof Promise
      ? result.then(
          (found) => kept(scope, found),
          (error: unknown) => missing(scope, error),
        )
      : kept(scope, result);
  });
}

/** What `error()` without a message raises. */
export const emptyErrorMessage = 'Empty ERROR term outside a default block.';

/** Whether it asks for the error again that a default was to replace. */
export const isEmptyError = (error: unknown): boolean =>
  error instanceof Error && error.message === emptyErrorMessage;
