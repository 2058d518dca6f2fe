import type { Datum } from '../datum/datum.ts';
import { checkedInput } from '../datum/input.ts';
import { isObject } from '../datum/object.ts';
import { Walk } from '../datum/walk.ts';
import type { CompileScope } from './compiled.ts';
import type { Scope } from './scope.ts';
import { logic } from './failure.ts';
import { termParts } from './term-parts.ts';
import { Term } from './term-table.ts';
import { datumOf } from './value-reading.ts';
import type { FunctionValue, Value } from './value.ts';

/**
 * Functions that are stored outlive the query that made them: the variables of the functions around
 * them become the values that they have when the function is stored.
 */

/** The values of the parameters around a function, by their numbers; the innermost ones win. */
export function captured(
  scope: CompileScope | undefined,
  values: Scope | undefined,
): ReadonlyMap<number, Value> {
  const found = new Map<number, Value>();
  let at = values;
  for (let around = scope; around !== undefined; around = around.outer) {
    around.parameters.forEach((id, position) => {
      if (!found.has(id)) found.set(id, at?.values[position] ?? null);
    });
    at = at?.outer;
  }
  return found;
}

/** Deeper functions could not be read back: their bytes are read by recursion. */
const depthMax = 500;
/** Values in a variable that is stored with a function. */
const dataPartsMax = 1_000_000;

/**
 * The term of a self-contained function, in the one form that stored functions have: data are
 * written as terms, and objects as objects. Throws when a variable is no datum.
 */
export function closedTerm(given: FunctionValue): unknown {
  return closed(given.term, given.captured(), 0);
}

function closed(value: unknown, variables: ReadonlyMap<number, Value>, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > depthMax)
    throw logic(
      `Function too deeply nested to be stored: ${depthMax} terms inside one another at most.`,
    );
  const within = (each: unknown): unknown => closed(each, variables, depth + 1);
  if (!Array.isArray(value)) return mapped(value, within);
  const { number, args, options } = termParts(value, []);
  if (number === Term.DATUM) return dataTerm(checkedInput(value[1] as Datum));
  if (number === Term.MAKE_OBJ) return mapped(options, within);
  if (number === Term.VAR) {
    const id = Number(args[0]);
    return variables.has(id) ? dataTerm(datumOf(variables.get(id) ?? null)) : value;
  }
  const inside = number === Term.FUNC ? withoutOwn(variables, args[0]) : variables;
  const own = args.map((each) => closed(each, inside, depth + 1));
  const isPlain = Object.keys(options).length === 0;
  return isPlain ? [number, own] : [number, own, mapped(options, within)];
}

/** A parameter hides a variable of the same number. */
function withoutOwn(
  variables: ReadonlyMap<number, Value>,
  parameters: unknown,
): ReadonlyMap<number, Value> {
  const list =
    Array.isArray(parameters) && Array.isArray(parameters[1]) ? parameters[1] : parameters;
  const own = new Set(Array.isArray(list) ? list.map(Number) : []);
  return new Map([...variables].filter(([id]) => !own.has(id)));
}

/** Data as a term: an array of the wire stands for a term. */
function dataTerm(value: Datum, walk = new Walk(dataPartsMax), depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const within = (part: unknown): unknown => dataTerm(part as Datum, walk, depth + 1);
  if (isObject(value)) {
    walk.into(depth, Object.keys(value).length);
    return mapped(value, within);
  }
  walk.into(depth, value.length);
  return [Term.MAKE_ARRAY, value.map(within)];
}

const mapped = (object: object, change: (value: unknown) => unknown): object =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
