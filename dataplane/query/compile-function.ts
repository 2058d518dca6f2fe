import { guarded, spread } from './application.ts';
import { appendedItem } from './appended-item.ts';
import { captured } from './closed-function.ts';
import { placeOfArgument, placeOfBody } from './compile-places.ts';
import type { Compiling } from './compiling.ts';
import { CompileError } from './errors.ts';
import { calledBody, strict } from './node.ts';
import type { Place } from './node.ts';
import { readFieldsOf } from './read-fields.ts';
import type { Node, Scope } from './scope.ts';
import { Term } from './term-table.ts';
import { isGrouped, overGroups } from './terms/grouping.ts';
import { checkArity } from './terms/sequence-tools.ts';
import { wrongValue } from './value-reading.ts';
import { ArraySelection, FunctionValue, SliceValue, StreamValue, TableValue } from './value.ts';
import type { Value } from './value.ts';

/** Functions, and their calls by `do`. */

/**
 * A parameter of a function is a value, which is there at once: what must be read first, or be called,
 * would make functions wait that are taken for pure.
 */
function refuseUnread(value: Value): void {
  const isUnread =
    value instanceof StreamValue ||
    value instanceof TableValue ||
    value instanceof SliceValue ||
    value instanceof ArraySelection;
  if (isUnread || value instanceof FunctionValue) throw wrongValue('DATUM', value);
}

export function functionNode(args: readonly unknown[], place: Place, compiling: Compiling): Node {
  const inside = placeOfBody(args, place);
  const node = compiling.node(args[1], inside);
  const { pure, determinism } = node;
  const shape = {
    arity: inside.scope.parameters.length,
    pure,
    determinism,
    term: [Term.FUNC, args],
    isPattern: node.term === Term.MAKE_OBJ || node.isConstant === true,
    readFields: readFieldsOf(inside.scope.parameters, args[1]),
  };
  const called = calledBody(node, compiling.context.work);
  const item = appendedItem(inside.scope.parameters, args[1]);
  const appended =
    item === undefined ? undefined : compiling.node(item, placeOfArgument(Term.APPEND, inside, 1));
  const run = (outer: Scope): Value =>
    new FunctionValue(
      {
        ...shape,
        captured: () => captured(place.scope, outer),
        appended: appended && ((values) => appended.run({ values, outer })),
      },
      (values) => called({ values, outer }),
    );
  return { pure, determinism, run, term: Term.FUNC };
}

/** `do`: the function is the first argument, its own arguments follow. */
export function callNode(args: readonly unknown[], place: Place, compiling: Compiling): Node {
  if (args.length === 0)
    throw new CompileError('Expected 1 or more arguments but found 0.', place.path);
  const nodes = compiling.nodes(args, place);
  const call = ([target, ...values]: readonly Value[]): Value | Promise<Value> => {
    values.forEach(refuseUnread);
    if (!(target instanceof FunctionValue)) return target as Value;
    checkArity(target, values.length);
    const [first = null, ...rest] = values;
    return isGrouped(first)
      ? overGroups(first, compiling.context, (value) => target.call([value, ...rest]))
      : target.call(values);
  };
  const arrayMax = Number.POSITIVE_INFINITY;
  const guard = { path: place.path, context: compiling.context, arrayMax };
  const run = (values: readonly Value[]): Value | Promise<Value> =>
    guarded(() => call(spread(values, nodes)), values, guard);
  return strict(nodes, run, { term: Term.FUNCALL, work: compiling.context.work });
}
