import type { CompileScope, Scope } from './compiled.ts';
import { Term } from './term-table.ts';
import { datumOf } from './value.ts';
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

/** The term of a function that stands by itself. Throws when a variable is no datum. */
export function closedTerm(given: FunctionValue): unknown {
  const variables = given.captured();
  return variables.size === 0 ? given.term : closed(given.term, variables);
}

function closed(value: unknown, variables: ReadonlyMap<number, Value>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value)) return mapped(value, (each) => closed(each, variables));
  const [number, args = [], ...options] = value as [unknown, unknown[]?, ...unknown[]];
  if (number === Term.VAR) {
    const id = Number(args[0]);
    return variables.has(id) ? dataTerm(datumOf(variables.get(id) ?? null)) : value;
  }
  const inside = number === Term.FUNC ? withoutOwn(variables, args[0]) : variables;
  return [
    number,
    args.map((each) => closed(each, inside)),
    ...options.map((each) => closed(each, variables)),
  ];
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
function dataTerm(value: unknown): unknown {
  if (Array.isArray(value)) return [Term.MAKE_ARRAY, value.map(dataTerm)];
  if (typeof value !== 'object' || value === null) return value;
  return mapped(value, dataTerm);
}

const mapped = (object: object, change: (value: unknown) => unknown): object =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
