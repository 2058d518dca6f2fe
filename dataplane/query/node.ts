import type { Datum } from '../datum/datum.ts';
import { determinism } from './compiled.ts';
import type { CompileScope, Determinism, Node, Scope } from './compiled.ts';
import { CompileError, RuntimeError } from './errors.ts';
import type { Frame } from './errors.ts';
import { isAbout, spoken } from './failure.ts';
import { pathTo } from './path.ts';
import type { Path } from './path.ts';
import type { Value } from './value.ts';

/** Nodes: how closures are put together out of the closures of their arguments. */

/** Where a term stands: its way from the root, and the functions around it. */
export interface Place {
  readonly path: Path;
  /** Terms around it that are compiled on the same stack. */
  readonly depth: number;
  readonly scope: CompileScope | undefined;
  /** Whether an ordering may stand here: an argument of `orderBy` or `union`. */
  readonly takesOrder?: boolean;
  /** Whether a term around it refuses writes. */
  readonly readOnly: boolean;
}

export const at = (place: Place, frame: number | string): Place => ({
  ...place,
  takesOrder: false,
  depth: place.depth + 1,
  path: pathTo(place.path, frame),
});

export function constant(datum: Datum): Node {
  return {
    pure: true,
    determinism: determinism.always,
    run: () => datum,
    term: undefined,
    isConstant: true,
  };
}

/** The value of a pure node. */
export const runNow = (node: Node, scope: Scope): Value => node.run(scope) as Value;

/** As little as the least determined of them. */
const least = (nodes: readonly Node[], own: Determinism = 0): Determinism =>
  nodes.reduce<Determinism>(
    (sofar, node) => (node.determinism > sofar ? node.determinism : sofar),
    own,
  );

/** A term whose arguments are all evaluated before it. */
export function strict(
  nodes: readonly Node[],
  run: (values: readonly Value[], scope: Scope) => Value | Promise<Value>,
  shape: { readonly term: number; readonly pure?: boolean; readonly determinism?: Determinism },
): Node {
  const { term } = shape;
  const traits = { term, determinism: least(nodes, shape.determinism) };
  if (nodes.every((node) => node.pure)) {
    return {
      ...traits,
      pure: shape.pure ?? true,
      run: (scope) =>
        run(
          nodes.map((node) => runNow(node, scope)),
          scope,
        ),
    };
  }
  const later = async (scope: Scope): Promise<Value> => {
    const values: Value[] = [];
    for (const node of nodes) values.push(await node.run(scope));
    return run(values, scope);
  };
  return { ...traits, pure: false, run: later };
}

/** A term that decides itself which arguments it evaluates. */
export function lazy(
  nodes: readonly Node[],
  term: number,
  run: { readonly now: (scope: Scope) => Value; readonly later: (scope: Scope) => Promise<Value> },
): Node {
  const pure = nodes.every((node) => node.pure);
  return { pure, determinism: least(nodes), term, run: pure ? run.now : run.later };
}

function lookup(depth: number, position: number, term: number): Node {
  return {
    pure: true,
    determinism: determinism.always,
    term,
    run: (scope) => {
      let found: Scope | undefined = scope;
      for (let up = 0; up < depth; up += 1) found = found?.outer;
      return found?.values[position] as Value;
    },
  };
}

export function variable(id: unknown, place: Place, term: number): Node {
  let depth = 0;
  for (let { scope } = place; scope !== undefined; scope = scope.outer) {
    const position = typeof id === 'number' ? scope.parameters.indexOf(id) : -1;
    if (position >= 0) return lookup(depth, position, term);
    depth += 1;
  }
  throw new CompileError(`Variable name not found: ${JSON.stringify(id)}.`, place.path);
}

/** `r.row`: the parameter of the only function around it that has just one. */
export function implicit(place: Place, term: number): Node {
  let depth = 0;
  let found: Node | undefined;
  for (let { scope } = place; scope !== undefined; scope = scope.outer) {
    if (scope.parameters.length === 1) {
      if (found !== undefined)
        throw new CompileError(
          'Cannot use r.row in nested queries.  Use functions instead.',
          place.path,
        );
      found = lookup(depth, 0, term);
    }
    depth += 1;
  }
  if (found === undefined)
    throw new CompileError('r.row is not defined in this context.', place.path);
  return found;
}

/** Errors without a place get that of the node. */
export function withPlace(node: Node, term: number, path: Path): Node {
  const run = (scope: Scope): Value | Promise<Value> => {
    try {
      const value = node.run(scope);
      if (!(value instanceof Promise)) return value;
      return value.catch((error: unknown) => {
        throw placed(error, path);
      });
    } catch (error) {
      throw placed(error, path);
    }
  };
  return { ...node, term, run };
}

/** Places that were given: an error at the root has an empty path too, and is not located again. */
const given = new WeakSet<readonly Frame[]>();

function placed(failure: unknown, path: Path): unknown {
  const error = spoken(failure);
  if (!(error instanceof RuntimeError) || given.has(error.backtrace)) return error;
  const own = [...path];
  given.add(own);
  return new RuntimeError(error.type, error.message, own);
}

/** An error without a place stands at the term. */
export const atTerm = (error: unknown, path: Path): unknown => placed(error, path);

/** An error about an option stands at its name. */
export const atOption = (error: unknown, path: Path, name: string): unknown =>
  placed(error, [...path, name]);

/** An error about one of the arguments stands at that argument. */
export function atArgument(error: unknown, args: readonly Value[], path: Path): unknown {
  if (!(error instanceof RuntimeError) || given.has(error.backtrace)) return error;
  const position = args.findIndex((arg) => isAbout(error, arg));
  return position < 0 ? error : placed(error, [...path, position]);
}
