import type { Datum } from '../datum/datum.ts';
import { emptyObject } from '../datum/object.ts';
import type { CompileScope, Context, Node, Path, Scope, TermDefinition } from './compiled.ts';
import { CompileError, RuntimeError } from './errors.ts';
import { logic, nonExistence } from './failure.ts';
import { termNames } from './term-table.ts';
import { definitions } from './terms/all.ts';
import { checkDatum } from './terms/datum.ts';
import { datumOf, FunctionValue, GroupedValue, RowValue, truth } from './value.ts';
import type { Value } from './value.ts';

/**
 * Terms to closures. Refuses, before anything runs, unknown terms, wrong numbers of arguments and
 * unknown optional arguments; every node adds its place to an error that has none.
 */
export function compile(term: unknown, context: Context): Node {
  return new Compiler(context).node(term, { path: [], scope: undefined });
}

interface Place {
  readonly path: Path;
  readonly scope: CompileScope | undefined;
}

/** Deeper nesting would overflow the stack. */
const depthMax = 500;

const special = {
  makeArray: 2,
  makeObject: 3,
  variable: 10,
  implicit: 13,
  call: 64,
  branch: 65,
  or: 66,
  and: 67,
  function: 69,
  fallback: 92,
} as const;
/** Terms whose arguments are not all evaluated before them. */
export const specialTerms: ReadonlySet<number> = new Set([1, ...Object.values(special)]);
const argsTerm = 154;

const at = ({ path, scope }: Place, frame: number | string): Place => ({
  path: [...path, frame],
  scope,
});

function arityText(least: number, most: number): string {
  const plural = (count: number): string => `${count} argument${count === 1 ? '' : 's'}`;
  if (least === most) return plural(least);
  return most === Number.POSITIVE_INFINITY
    ? `${least} or more arguments`
    : `between ${least} and ${most} arguments`;
}

class Compiler {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  node(term: unknown, place: Place): Node {
    if (place.path.length > depthMax) throw new CompileError('Query too deeply nested.', []);
    if (!Array.isArray(term)) return this.#data(term, place);
    const [number, args = [], options = {}] = term as [unknown, unknown, unknown];
    if (typeof number !== 'number') {
      throw new CompileError('Expected a TermType as a NUMBER but found another type.', place.path);
    }
    const name = termNames.get(number);
    if (name === undefined) throw new CompileError(`Unrecognized TermType: ${number}.`, place.path);
    if (!Array.isArray(args)) {
      throw new CompileError(`Expected an array of arguments for ${name}.`, place.path);
    }
    if (number === 1) return this.#data(args[0], place);
    const located =
      this.#special(number, args, place) ?? this.#ordinary(number, args, options as object, place);
    return withPlace(located, number, place.path);
  }

  /** Data stands for itself; an object may hold terms as its fields. */
  #data(data: unknown, place: Place): Node {
    if (typeof data !== 'object' || data === null) return constant(data as Datum);
    return this.#object(data as Record<string, unknown>, place);
  }

  #object(fields: Record<string, unknown>, place: Place): Node {
    const nodes = Object.entries(fields).map(
      ([name, field]) => [name, this.node(field, at(place, name))] as const,
    );
    const make = (values: readonly Value[]): Datum => {
      const object = emptyObject();
      nodes.forEach(([name], position) => (object[name] = datumOf(values[position] as Value)));
      return checkDatum(object);
    };
    return withPlace(
      strict(
        nodes.map(([, node]) => node),
        make,
        special.makeObject,
      ),
      special.makeObject,
      place.path,
    );
  }

  #special(number: number, args: readonly unknown[], place: Place): Node | undefined {
    switch (number) {
      case special.makeArray:
        return this.#array(args, place);
      case special.variable:
        return variable(args[0], place);
      case special.implicit:
        return implicit(place);
      case special.function:
        return this.#function(args, place);
      case special.call:
        return this.#call(args, place);
      case special.branch:
        return this.#branch(args, place);
      case special.or:
      case special.and:
        return this.#logical(args, place, number === special.or);
      case special.fallback:
        return this.#fallback(args, place);
      default:
        return undefined;
    }
  }

  #nodes(args: readonly unknown[], place: Place): Node[] {
    return args.map((arg, position) => this.node(arg, at(place, position)));
  }

  #array(args: readonly unknown[], place: Place): Node {
    const nodes = this.#nodes(args, place);
    return strict(nodes, (values) => spread(values, nodes).map(datumOf), special.makeArray);
  }

  #function(args: readonly unknown[], place: Place): Node {
    const [parameters, body] = args;
    const list =
      Array.isArray(parameters) && parameters[0] === 2 ? (parameters[1] as unknown[]) : parameters;
    if (!Array.isArray(list) || args.length !== 2) {
      throw new CompileError('Expected an array of parameters and a body.', place.path);
    }
    const scope = { parameters: list.map(Number), outer: place.scope };
    const node = this.node(body, { path: [...place.path, 1], scope });
    const shape = { arity: list.length, pure: node.pure, term: [special.function, args] };
    const run = (outer: Scope): Value =>
      new FunctionValue(shape, (values) => node.run({ values, outer }));
    return { pure: node.pure, run, term: special.function };
  }

  /** `do`: the function is the first argument, its own arguments follow. */
  #call(args: readonly unknown[], place: Place): Node {
    if (args.length === 0)
      throw new CompileError('Expected 1 or more arguments but found 0.', place.path);
    const nodes = this.#nodes(args, place);
    return strict(
      nodes,
      ([target, ...values]) => {
        if (!(target instanceof FunctionValue)) return target as Value;
        if (target.arity !== values.length) {
          throw logic(
            `Expected function with ${values.length} argument${values.length === 1 ? '' : 's'} but found function with ${target.arity} argument${target.arity === 1 ? '' : 's'}.`,
          );
        }
        return target.call(values);
      },
      special.call,
    );
  }

  #branch(args: readonly unknown[], place: Place): Node {
    if (args.length < 3)
      throw new CompileError(`Expected 3 or more arguments but found ${args.length}.`, place.path);
    if (args.length % 2 === 0)
      throw new CompileError(
        'Cannot call `branch` term with an even number of arguments.',
        place.path,
      );
    const nodes = this.#nodes(args, place);
    const last = nodes.length - 1;
    return lazy(nodes, special.branch, {
      now: (scope) => {
        for (let test = 0; test < last; test += 2) {
          if (truth(runNow(nodes[test] as Node, scope)))
            return runNow(nodes[test + 1] as Node, scope);
        }
        return runNow(nodes[last] as Node, scope);
      },
      later: async (scope) => {
        for (let test = 0; test < last; test += 2) {
          if (truth(await (nodes[test] as Node).run(scope)))
            return (nodes[test + 1] as Node).run(scope);
        }
        return (nodes[last] as Node).run(scope);
      },
    });
  }

  #logical(args: readonly unknown[], place: Place, stopAt: boolean): Node {
    const nodes = this.#nodes(args, place);
    return lazy(nodes, stopAt ? special.or : special.and, {
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

  /** `default`: for null, and for what does not exist. */
  #fallback(args: readonly unknown[], place: Place): Node {
    if (args.length !== 2)
      throw new CompileError(`Expected 2 arguments but found ${args.length}.`, place.path);
    const nodes = this.#nodes(args, place);
    const [value, otherwise] = nodes as [Node, Node];
    const instead = (scope: Scope, error?: unknown): Value | Promise<Value> => {
      if (error !== undefined && !isMissing(error)) throw error as Error;
      const reason = error instanceof RuntimeError ? error.message : '';
      const chosen = otherwise.run(scope);
      const called = (result: Value): Value | Promise<Value> =>
        result instanceof FunctionValue ? result.call(result.arity === 0 ? [] : [reason]) : result;
      return chosen instanceof Promise ? chosen.then(called) : called(chosen);
    };
    const isNull = (result: Value): boolean =>
      result === null || (result instanceof RowValue && result.row === undefined);
    return lazy(nodes, special.fallback, {
      now: (scope) => {
        try {
          const result = runNow(value, scope);
          return isNull(result) ? (instead(scope) as Value) : result;
        } catch (error) {
          return instead(scope, error) as Value;
        }
      },
      later: async (scope) => {
        try {
          const result = await value.run(scope);
          return isNull(result) ? await instead(scope) : result;
        } catch (error) {
          return instead(scope, error);
        }
      },
    });
  }

  #ordinary(number: number, args: readonly unknown[], options: object, place: Place): Node {
    const definition = definitions.get(number);
    const name = termNames.get(number) ?? '';
    if (definition === undefined) {
      throw new CompileError(
        `The term ${name} is not implemented in this version of PhotonDB.`,
        place.path,
      );
    }
    checkArguments(definition, args, options, place);
    const nodes = this.#nodes(args, place);
    const optionNodes = Object.entries(options).map(
      ([key, option]) => [key, this.node(option, at(place, key))] as const,
    );
    const all = [...nodes, ...optionNodes.map(([, node]) => node)];
    const context = this.#context;
    const run = (values: readonly Value[]): Value | Promise<Value> => {
      const own = spread(values.slice(0, nodes.length), nodes);
      const named = new Map(
        optionNodes.map(([key], position) => [key, values[nodes.length + position] as Value]),
      );
      checkCount(definition, own.length, false);
      return apply(definition, context, own, named);
    };
    return strict(all, run, number, definition.effects !== true);
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof RuntimeError && error.type === nonExistence('').type;

function checkArguments(
  definition: TermDefinition,
  args: readonly unknown[],
  options: object,
  place: Place,
): void {
  const spreads = args.some((arg) => Array.isArray(arg) && arg[0] === argsTerm);
  const [least, most] = definition.arity;
  if (!spreads && (args.length < least || args.length > most)) {
    throw new CompileError(
      `Expected ${arityText(least, most)} but found ${args.length}.`,
      place.path,
    );
  }
  for (const key of Object.keys(options)) {
    if (definition.options?.includes(key) === true) continue;
    throw new CompileError(`Unrecognized optional argument \`${key}\`.`, [...place.path, key]);
  }
}

function checkCount(
  { arity: [least, most] }: TermDefinition,
  count: number,
  compiled: boolean,
): void {
  if (compiled || (count >= least && count <= most)) return;
  throw logic(`Expected ${arityText(least, most)} but found ${count}.`);
}

/** A grouped first argument: the term applies to the value of each group. */
function apply(
  definition: TermDefinition,
  context: Context,
  args: readonly Value[],
  options: ReadonlyMap<string, Value>,
): Value | Promise<Value> {
  const [first] = args;
  if (!(first instanceof GroupedValue) || definition.grouped === true) {
    return definition.run({ context, args, options });
  }
  const results = first.groups.map(({ value }) =>
    definition.run({ context, args: [value, ...args.slice(1)], options }),
  );
  const grouped = (values: readonly Value[]): Value =>
    new GroupedValue(
      first.groups.map(({ key }, position) => ({ key, value: values[position] as Value })),
    );
  return results.some((result) => result instanceof Promise)
    ? Promise.all(results.map((result) => Promise.resolve(result))).then(grouped)
    : grouped(results as Value[]);
}

/** `args` puts the items of an array in its own place. */
function spread(values: readonly Value[], nodes: readonly Node[]): readonly Value[] {
  if (!nodes.some((node) => node.term === argsTerm)) return values;
  return values.flatMap((value, position) =>
    nodes[position]?.term === argsTerm && Array.isArray(value) ? (value as Value[]) : [value],
  );
}

function constant(datum: Datum): Node {
  const value = checkDatum(datum);
  return { pure: true, run: () => value, term: undefined };
}

function runNow(node: Node, scope: Scope): Value {
  return node.run(scope) as Value;
}

function strict(
  nodes: readonly Node[],
  run: (values: readonly Value[]) => Value | Promise<Value>,
  term: number,
  pure = true,
): Node {
  if (nodes.every((node) => node.pure)) {
    return { pure, term, run: (scope) => run(nodes.map((node) => runNow(node, scope))) };
  }
  const later = async (scope: Scope): Promise<Value> => {
    const values: Value[] = [];
    for (const node of nodes) values.push(await node.run(scope));
    return run(values);
  };
  return { pure: false, term, run: later };
}

function lazy(
  nodes: readonly Node[],
  term: number,
  run: { readonly now: (scope: Scope) => Value; readonly later: (scope: Scope) => Promise<Value> },
): Node {
  const pure = nodes.every((node) => node.pure);
  return { pure, term, run: pure ? run.now : run.later };
}

function variable(id: unknown, place: Place): Node {
  let depth = 0;
  for (let { scope } = place; scope !== undefined; scope = scope.outer) {
    const position = scope.parameters.indexOf(Number(id));
    if (position >= 0) return lookup(depth, position);
    depth += 1;
  }
  throw new CompileError(`Variable name not found: ${String(id)}.`, place.path);
}

function lookup(depth: number, position: number): Node {
  return {
    pure: true,
    term: special.variable,
    run: (scope) => {
      let found: Scope | undefined = scope;
      for (let up = 0; up < depth; up += 1) found = found?.outer;
      return found?.values[position] as Value;
    },
  };
}

/** `r.row`: the parameter of the innermost function, when that has just one. */
function implicit(place: Place): Node {
  let depth = 0;
  for (let { scope } = place; scope !== undefined; scope = scope.outer) {
    if (scope.parameters.length === 1) return lookup(depth, 0);
    depth += 1;
  }
  throw new CompileError('r.row is not defined in this context.', place.path);
}

function withPlace(node: Node, term: number, path: Path): Node {
  const located = (error: unknown): unknown =>
    error instanceof RuntimeError && error.backtrace === noPlace(error)
      ? new RuntimeError(error.type, error.message, markPlace(path))
      : error;
  const run = (scope: Scope): Value | Promise<Value> => {
    try {
      const value = node.run(scope);
      if (!(value instanceof Promise)) return value;
      return value.catch((error: unknown) => {
        throw located(error);
      });
    } catch (error) {
      throw located(error);
    }
  };
  return { ...node, term, run };
}

/** Places that were given: an error at the root has an empty path too, and is not located again. */
const given = new WeakSet<Path>();

const noPlace = (error: RuntimeError): Path | undefined =>
  given.has(error.backtrace) ? undefined : error.backtrace;

function markPlace(path: Path): Path {
  const own = [...path];
  given.add(own);
  return own;
}
