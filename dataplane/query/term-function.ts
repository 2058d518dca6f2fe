import type { CapturedValue, TermFunction } from '../wire/table-edit.ts';
import type { Context } from './compiled.ts';
import { determinism } from './determinism.ts';
import { Term } from './term-table.ts';
import { textOfValue } from './value-text.ts';
import { RowValue, Special } from './value.ts';
import type { FunctionValue, Value } from './value.ts';

/** Functions of a query as data: the term, and the values of the variables around it. */

/** Undefined for a function that only its query can evaluate: it waits, it is not determined, or it captures more than data. */
export function termFunctionOf(given: FunctionValue, context: Context): TermFunction | undefined {
  const isMovable = given.pure && given.determinism !== determinism.never;
  if (!isMovable || given.term === undefined || context.reachesFunctions) return undefined;
  const writer = new TermWriter();
  const term = writer.text(given.term, 0);
  if (writer.isTooDeep) return undefined;
  if (writer.variables.size === 0) return { term, captured: [] };
  const captured: CapturedValue[] = [];
  for (const [variable, value] of given.captured()) {
    // Its own parameters are among the variables.
    if (!writer.variables.has(variable)) continue;
    const moved = capturedValue(variable, value);
    if (moved === undefined) return undefined;
    captured.push(moved);
  }
  return { term, captured };
}

function capturedValue(variable: number, value: Value): CapturedValue | undefined {
  if (!(value instanceof Special))
    return { variable, value: textOfValue(value), isSelection: false };
  if (!(value instanceof RowValue) || value.isDamaged) return undefined;
  return { variable, value: { text: value.row?.text ?? 'null' }, isSelection: true };
}

/** Deeper terms, as long chains are, stay with their query: they are written by recursion. */
const depthMax = 1_000;

/** JSON text of a term; `JSON.stringify` would lose the sign of a zero. */
class TermWriter {
  /** Numbers of all variables in it. */
  readonly variables = new Set<number>();
  isTooDeep = false;

  text(value: unknown, depth: number): string {
    if (typeof value === 'number') return Object.is(value, -0) ? '-0.0' : String(value);
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    if (depth > depthMax) {
      this.isTooDeep = true;
      return 'null';
    }
    if (Array.isArray(value)) return this.#list(value, depth);
    const fields = Object.entries(value).map(
      ([name, field]) => `${JSON.stringify(name)}:${this.text(field, depth + 1)}`,
    );
    return `{${fields.join(',')}}`;
  }

  #list(list: readonly unknown[], depth: number): string {
    const [number, args] = list;
    if (number === Term.VAR && Array.isArray(args)) this.variables.add(Number(args[0]));
    return `[${list.map((each) => this.text(each, depth + 1)).join(',')}]`;
  }
}
