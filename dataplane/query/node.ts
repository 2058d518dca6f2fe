import type { Datum } from '../datum/datum.ts';
import { determinism } from './determinism.ts';
import type { CompileScope } from './compiled.ts';
import type { Node, Scope } from './scope.ts';
import type { Determinism } from './determinism.ts';
import { CompileError, RuntimeError } from './errors.ts';
import type { Frame } from './errors.ts';
import { checkedLength, isAbout, spoken } from './failure.ts';
import { pathTo } from './path.ts';
import type { Path } from './path.ts';
import type { Value } from './value.ts';
import type { QueryMemory } from './work/memory.ts';
import { entryBytes, objectBytes, quickSizeOf, scalarSizeOf } from './work/size.ts';
import type { Work } from './work/work.ts';

/** Nodes: how closures are put together out of the closures of their arguments. */

/** Where a term stands: its way from the root, and the functions around it. */
export interface Place {
  readonly path: Path;
  /** Terms around it that are compiled on the same stack. */
  readonly depth: number;
  readonly scope: CompileScope | undefined;
  /** Whether an ordering may stand here: an argument of `orderBy` or `union`. */
  readonly takesOrder?: boolean;
  /** Whether the term around it needs to know which document is meant, and not what is in it. */
  readonly isAddress?: boolean;
  /** Whether a term around it refuses writes. */
  readonly readOnly: boolean;
}

export const at = ({ path, depth, scope, readOnly }: Place, frame: number | string): Place => ({
  path: pathTo(path, frame),
  depth: depth + 1,
  scope,
  takesOrder: false,
  isAddress: false,
  readOnly,
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

/** As little as the least determined of them. */
const least = (nodes: readonly Node[], own: Determinism = 0): Determinism =>
  nodes.reduce<Determinism>(
    (sofar, node) => (node.determinism > sofar ? node.determinism : sofar),
    own,
  );

interface Shape {
  readonly term: number;
  readonly pure?: boolean;
  readonly determinism?: Determinism;
  /** Of the query; without it nothing is counted. */
  readonly work?: Work | undefined;
}

type Run = (values: readonly Value[], scope: Scope) => Value | Promise<Value>;

/** A term whose arguments are all evaluated before it. */
export function strict(nodes: readonly Node[], run: Run, shape: Shape): Node {
  const { term, work } = shape;
  const pure = (shape.pure ?? true) && nodes.every((node) => node.pure);
  const count = nodes.length;
  const now = (scope: Scope): Value | Promise<Value> => {
    const values: Value[] = [];
    for (let at = 0; at < count; at += 1) {
      const value = (nodes[at] as Node).run(scope);
      if (value instanceof Promise) return later(scope, values, value);
      values.push(value);
    }
    return run(values, scope);
  };
  /** From the first argument that must be waited for. */
  const later = async (scope: Scope, values: Value[], first: Promise<Value>): Promise<Value> => {
    values.push(await first);
    while (values.length < count) values.push(await (nodes[values.length] as Node).run(scope));
    return run(values, scope);
  };
  return {
    term,
    pure,
    determinism: least(nodes, shape.determinism),
    run: work === undefined ? now : accounted(now, work.memory),
  };
}

/** What a term makes is charged to the query: a string takes the place of those that it was made of. */
function accounted(run: Node['run'], memory: QueryMemory): Node['run'] {
  return (scope) => {
    const before = memory.usedBytes;
    const value = run(scope);
    if (typeof value !== 'object') {
      if (typeof value === 'string') memory.settle(before, checkedLength(value).length);
      return value;
    }
    if (!(value instanceof Promise)) return made(value, before, memory);
    return value.then((found) => made(found, before, memory));
  };
}

function made(value: Value, before: number, memory: QueryMemory): Value {
  if (typeof value === 'string') memory.settle(before, checkedLength(value).length);
  else if (Array.isArray(value)) memory.charge(entryBytes * value.length);
  else if (typeof value === 'object' && value !== null) memory.charge(objectBytes);
  return value;
}

/** The body of a function: each call counts, and leaves what it answers in memory. */
export function calledBody(body: Node, work: Work | undefined): Node['run'] {
  if (work === undefined) return body.run;
  const { memory } = work;
  const call = (scope: Scope): Value | Promise<Value> => {
    const before = memory.usedBytes;
    const value = body.run(scope);
    if (value instanceof Promise) return value.then((found) => answered(found, before, memory));
    return answered(value, before, memory);
  };
  return (scope) => {
    work.spend(1);
    return work.isDue ? work.pause().then(() => call(scope)) : call(scope);
  };
}

/** Of what a function has made, its answer is left. So little is not worth to be measured. */
function answered(value: Value, before: number, memory: QueryMemory): Value {
  if (typeof value !== 'object' || value === null) memory.settle(before, scalarSizeOf(value));
  else {
    const made = memory.usedBytes - before;
    if (made > unmeasuredBytes) memory.settle(before, Math.min(made, quickSizeOf(value) ?? made));
  }
  return value;
}

const unmeasuredBytes = 1_024;

/** A term that decides itself which arguments it evaluates. */
export function lazy(nodes: readonly Node[], term: number, run: Node['run']): Node {
  return { pure: nodes.every((node) => node.pure), determinism: least(nodes), term, run };
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
