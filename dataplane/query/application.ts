import { determinism } from './determinism.ts';
import type { Context, TermCall, TermDefinition } from './compiled.ts';
import type { Node, Scope } from './scope.ts';
import type { Path } from './path.ts';
import { CompileError } from './errors.ts';
import { logic } from './failure.ts';
import { atArgument, atTerm } from './node.ts';
import type { Place } from './node.ts';
import { isSpread, spreadItems } from './special-forms.ts';
import { planned, planOf } from './scan-plan.ts';
import type { Steps } from './scan-plan.ts';
import { Term } from './term-table.ts';
import { GroupingValue, isGrouped, overGroups } from './terms/grouping.ts';
import { overLimit } from './terms/sequence-tools.ts';
import { FunctionValue, StreamValue } from './value.ts';
import type { Value } from './value.ts';

/** How a term is applied to the values of its arguments. */
const count = (number: number, noun: string): string =>
  `${number} ${noun}${number === 1 ? '' : 's'}`;

function arityText(least: number, most: number): string {
  if (least === most) return count(least, 'argument');
  return most === Number.POSITIVE_INFINITY
    ? `${least} or more arguments`
    : `between ${least} and ${most} arguments`;
}

interface Guard {
  readonly path: Path;
  readonly arrayMax: number;
  readonly context: Context;
}

/** Gives errors the place of the argument that they are about, and bounds arrays. */
export function guarded(
  run: () => Value | Promise<Value>,
  /** As they were before `args` was spread. */
  values: readonly Value[],
  guard: Guard,
): Value | Promise<Value> {
  try {
    const value = run();
    if (!(value instanceof Promise)) return bounded(value, values, guard);
    const failed = (error: unknown): never => {
      throw atArgument(error, values, guard.path);
    };
    return value.then((found) => {
      try {
        return bounded(found, values, guard);
      } catch (error) {
        return failed(error);
      }
    }, failed);
  } catch (error) {
    throw atArgument(error, values, guard.path);
  }
}

function bounded(value: Value, values: readonly Value[], guard: Guard): Value {
  if (Array.isArray(value) && value.length > guard.arrayMax) throw overLimit(guard.context);
  // Each term comes here, for each row: most values are there already.
  return isReadLater(value) ? readLater(value, values, guard) : value;
}

const isReadLater = (value: Value): value is StreamValue | GroupingValue =>
  typeof value === 'object' && (value instanceof StreamValue || value instanceof GroupingValue);

/** What a sequence throws when it is read, by whichever term, has the place of the term that made it. */
function readLater(
  value: StreamValue | GroupingValue,
  values: readonly Value[],
  { path, context }: Guard,
): Value {
  const failed = (error: unknown): never => {
    throw atTerm(atArgument(error, values, path), path);
  };
  if (value instanceof StreamValue) {
    const { stream, table, infinite } = value;
    const located: Steps = (stream) => ({
      async next(limit, signal) {
        // Streams that read each other by the thousand do so without a stack of calls.
        await Promise.resolve();
        return stream.next(limit, signal).catch(failed);
      },
      close: () => stream.close(),
    });
    const plan = planOf(value);
    return plan === undefined
      ? new StreamValue(located(stream), table, infinite)
      : planned(plan.within(located), table, context);
  }
  const keysOf: GroupingValue['keysOf'] = (item) => {
    try {
      const keys = value.keysOf(item);
      return keys instanceof Promise ? keys.catch(failed) : keys;
    } catch (error) {
      return failed(error);
    }
  };
  return new GroupingValue(value.source, keysOf, value.asData);
}

export function checkArguments(
  definition: TermDefinition,
  args: readonly unknown[],
  place: Place,
): void {
  const spreads = args.some((arg) => Array.isArray(arg) && arg[0] === Term.ARGS);
  const [least, most] = definition.arity;
  if (!spreads && (args.length < least || args.length > most)) {
    throw new CompileError(
      `Expected ${arityText(least, most)} but found ${args.length}.`,
      place.path,
    );
  }
}

function checkCount({ arity: [least, most] }: TermDefinition, found: number): void {
  if (found >= least && found <= most) return;
  throw logic(`Expected ${arityText(least, most)} but found ${found}.`);
}

/** A grouped first argument: the term applies to the value of each group. */
export function apply(definition: TermDefinition, call: TermCall): Value | Promise<Value> {
  checkCount(definition, call.args.length);
  const [first = null, ...rest] = call.args;
  if (!isGrouped(first) || definition.grouped === true) return definition.run(call);
  return overGroups(first, call.context, (value) =>
    definition.run({ ...call, args: [value, ...rest] }),
  );
}

/** `args` puts the items of an array in its own place. */
export function spread(values: readonly Value[], nodes: readonly Node[]): readonly Value[] {
  if (!nodes.some(isSpread)) return values;
  return values.flatMap((value, position) =>
    isSpread(nodes[position] as Node) ? spreadItems(value) : [value],
  );
}

/** What is written in place of a function: evaluated at each call. */
export function deferred(node: Node): Node {
  if (node.term === Term.FUNC) return node;
  const { pure } = node;
  const shape = { arity: 1, pure, determinism: node.determinism, term: undefined };
  const isConstant = pure && node.determinism !== determinism.never;
  const run = (scope: Scope): Value => {
    const call = (args: readonly Value[]): Value | Promise<Value> => {
      const called = (value: Value): Value | Promise<Value> =>
        value instanceof FunctionValue ? value.call(args) : value;
      const value = node.run(scope);
      return value instanceof Promise ? value.then(called) : called(value);
    };
    return new FunctionValue(shape, call, isConstant ? () => node.run(scope) : undefined);
  };
  return { ...node, pure: true, run };
}
