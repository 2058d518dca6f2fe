import type { Datum } from '../datum/datum.ts';
import { jsonTypeName } from '../datum/type-name.ts';
import type { Path } from './path.ts';
import { CompileError, MalformedQueryError } from './errors.ts';
import { Term, termNames } from './term-table.ts';

/** Terms as they come: arrays of a number, arguments and optional arguments. */
export type Fields = Readonly<Record<string, unknown>>;

export interface TermParts {
  readonly number: number;
  readonly args: readonly unknown[];
  readonly options: Fields;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Number, arguments and optional arguments of a term; both of the latter may be missing. */
export function termParts(term: readonly unknown[], path: Path): TermParts {
  const refuse = (message: string): never => {
    throw new CompileError(message, path);
  };
  if (term.length < 1 || term.length > 3)
    refuse(`Expected between 1 and 3 elements in a raw term, but found ${term.length}.`);
  const [number, second = [], third] = term;
  if (typeof number !== 'number')
    return refuse(`Expected a TermType as a NUMBER but found ${jsonTypeName(number)}.`);
  if (!termNames.has(number)) refuse(`Unrecognized TermType: ${number}.`);
  if (number === Term.DATUM) return { number, args: [], options: {} };
  if (!Array.isArray(second) && !isFields(second))
    return refuse('Second element in a Term is neither arguments nor optional arguments.');
  if (third !== undefined && !isFields(third))
    return refuse('Third element in a Term is not optional arguments.');
  if (Array.isArray(second)) return { number, args: second, options: third ?? {} };
  if (third === undefined) return { number, args: [], options: second };
  return refuse('Second and third element in a term are both optional arguments.');
}

/** Only what JSON.parse takes and JSON does not say: no driver sends that. */
export function wellFormed<T extends Datum>(scalar: T): T {
  const isOne =
    typeof scalar === 'number'
      ? Number.isFinite(scalar)
      : typeof scalar !== 'string' || scalar.isWellFormed();
  if (!isOne) throw new MalformedQueryError();
  return scalar;
}
