import { InvalidDatumError } from '../datum/errors.ts';
import type { CapturedValue, EditValue, TermFunction } from '../wire/table-edit.ts';
import type { Context } from './compiled.ts';
import { determinism } from './determinism.ts';
import { Term } from './term-table.ts';
import { textOfValue } from './value-text.ts';
import { FunctionValue, OpaqueValue, RowValue } from './value.ts';
import type { Value } from './value.ts';

/** Functions of a query as data: the term, and the values of the variables around it. */

/** Undefined for a function that only its query can evaluate: it waits, it is not determined, or it captures more than data. */
export function termFunctionOf(given: FunctionValue, context: Context): TermFunction | undefined {
  const isMovable = given.pure && given.determinism !== determinism.never;
  if (!isMovable || given.term === undefined || context.reachesFunctions) return undefined;
  const scan = new TermScan();
  scan.visit(given.term, 0);
  if (scan.isTooDeep) return undefined;
  // `JSON.stringify` would lose the sign of a zero.
  const term = scan.hasNegativeZero ? textOfTerm(given.term) : JSON.stringify(given.term);
  if (scan.variables.size === 0) return { term, captured: [] };
  const captured: CapturedValue[] = [];
  for (const [variable, value] of given.captured()) {
    // Its own parameters are among the variables.
    if (!scan.variables.has(variable)) continue;
    const moved = capturedValue(variable, value);
    if (moved === undefined) return undefined;
    captured.push(moved);
  }
  return { term, captured };
}

/** A function or a value of a query; undefined for what is neither as data. */
export function dataOf(value: Value, context: Context): EditValue | undefined {
  if (value instanceof FunctionValue) return termFunctionOf(value, context);
  if (value instanceof OpaqueValue) return undefined;
  try {
    return textOfValue(value);
  } catch (error) {
    if (error instanceof InvalidDatumError) return undefined;
    throw error;
  }
}

function capturedValue(variable: number, value: Value): CapturedValue | undefined {
  if (!(value instanceof OpaqueValue))
    return { variable, value: textOfValue(value), isSelection: false };
  if (!(value instanceof RowValue) || value.isDamaged) return undefined;
  return { variable, value: { text: value.row?.text ?? 'null' }, isSelection: true };
}

/** Deeper terms, as long chains are, stay with their query: they are visited by recursion. */
const depthMax = 1_000;

/** What a term has that decides how it is written. */
class TermScan {
  /** Numbers of all variables in it. */
  readonly variables = new Set<number>();
  hasNegativeZero = false;
  isTooDeep = false;

  visit(value: unknown, depth: number): void {
    if (typeof value === 'number') {
      if (value === 0 && Object.is(value, -0)) this.hasNegativeZero = true;
    } else if (typeof value === 'object' && value !== null) {
      if (depth > depthMax) this.isTooDeep = true;
      else if (Array.isArray(value)) this.#visitList(value, depth);
      else for (const field of Object.values(value)) this.visit(field, depth + 1);
    }
  }

  #visitList(list: readonly unknown[], depth: number): void {
    const args = list[1];
    if (list[0] === Term.VAR && Array.isArray(args)) this.variables.add(Number(args[0]));
    for (const each of list) this.visit(each, depth + 1);
  }
}

function textOfTerm(value: unknown): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0.0' : String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(textOfTerm).join(',')}]`;
  const fields = Object.entries(value).map(
    ([name, field]) => `${JSON.stringify(name)}:${textOfTerm(field)}`,
  );
  return `{${fields.join(',')}}`;
}
