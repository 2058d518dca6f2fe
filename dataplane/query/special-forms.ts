import type { Context, Node, Scope } from './compiled.ts';
import { logic, isMissing } from './failure.ts';
import { lazy, runNow } from './node.ts';
import { Term } from './term-table.ts';
import { isGrouped, overGroups } from './terms/grouping.ts';
import { BoundArray, FunctionValue, isSequence, RowValue, truth } from './value.ts';
import type { Value } from './value.ts';

/** Terms that decide which of their arguments they evaluate. */
export const isSpread = (node: Node): boolean => node.term === Term.ARGS;

/** What `args` stands for. */
export const spreadItems = (value: Value): readonly Value[] =>
  value instanceof BoundArray ? value.items : (value as readonly Value[]);

/** Values one after the other, each evaluated when it is asked for; those of `args` by themselves. */
function* nowValues(nodes: readonly Node[], scope: Scope): Generator<Value> {
  for (const node of nodes) {
    const value = runNow(node, scope);
    if (isSpread(node)) yield* spreadItems(value);
    else yield value;
  }
}

async function* laterValues(nodes: readonly Node[], scope: Scope): AsyncGenerator<Value> {
  for (const node of nodes) {
    const value = await node.run(scope);
    if (isSpread(node)) yield* spreadItems(value);
    else yield value;
  }
}

/** The same with the first value known already. */
const withFirst = (nodes: readonly Node[], first: Value): Node[] => [
  { pure: true, determinism: 0, term: undefined, run: () => first },
  ...nodes.slice(1),
];

/** A grouped first argument: the form is that of each group. */
async function overFirst(
  nodes: readonly Node[],
  scope: Scope,
  { context, form }: { readonly context: Context; readonly form: (nodes: readonly Node[]) => Node },
): Promise<Value> {
  const [head] = nodes;
  if (head === undefined || isSpread(head)) return form(nodes).run(scope);
  const first = await head.run(scope);
  const inner = (value: Value): Value | Promise<Value> => form(withFirst(nodes, value)).run(scope);
  return isGrouped(first) ? overGroups(first, context, inner) : inner(first);
}

/** The first branch whose test holds; each test and branch is evaluated only when it is reached. */
export function branch(nodes: readonly Node[], context: Context): Node {
  const plain = (own: readonly Node[]): Node =>
    lazy(own, Term.BRANCH, {
      now: (scope) =>
        runNow(
          ownBranch(own, (node) => truth(runNow(node, scope))),
          scope,
        ),
      later: async (scope) => {
        const last = lastOf(own);
        for (let test = 0; test < last; test += 2) {
          if (truth(await (own[test] as Node).run(scope)))
            return (own[test + 1] as Node).run(scope);
        }
        return (own[last] as Node).run(scope);
      },
    });
  const node = plain(nodes);
  if (node.pure) return node;
  return {
    ...node,
    run: (scope) => overFirst(nodes, scope, { context, form: plain }),
  };
}

function ownBranch(nodes: readonly Node[], holds: (test: Node) => boolean): Node {
  const last = lastOf(nodes);
  for (let test = 0; test < last; test += 2)
    if (holds(nodes[test] as Node)) return nodes[test + 1] as Node;
  return nodes[last] as Node;
}

function lastOf(nodes: readonly Node[]): number {
  if (nodes.length % 2 === 0)
    throw logic('Cannot call `branch` term with an even number of arguments.');
  return nodes.length - 1;
}

/** `branch` with `args` in it: those are spread first. */
export function spreadBranch(nodes: readonly Node[], context: Context): Node {
  const whole = branch(nodes, context);
  const run = async (scope: Scope): Promise<Value> => {
    const spread: Node[] = [];
    for (const node of nodes) {
      if (!isSpread(node)) spread.push(node);
      else
        for (const value of spreadItems(await node.run(scope)))
          spread.push({ pure: true, determinism: 0, term: undefined, run: () => value });
    }
    if (spread.length < 3) throw logic(`Expected 3 or more arguments but found ${spread.length}.`);
    return branch(spread, context).run(scope);
  };
  return { ...whole, pure: false, run };
}

/** `or` stops at the first that is true, `and` at the first that is not. */
export function logical(nodes: readonly Node[], term: number, context: Context): Node {
  const stopAt = term === Term.OR;
  const plain = (own: readonly Node[]): Node =>
    lazy(own, term, {
      now: (scope) => {
        let last: Value = !stopAt;
        for (const value of nowValues(own, scope)) {
          last = value;
          if (truth(value) === stopAt) break;
        }
        return last;
      },
      later: async (scope) => {
        let last: Value = !stopAt;
        for await (const value of laterValues(own, scope)) {
          last = value;
          if (truth(value) === stopAt) break;
        }
        return last;
      },
    });
  const node = plain(nodes);
  if (node.pure) return node;
  return { ...node, run: (scope) => overFirst(nodes, scope, { context, form: plain }) };
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
