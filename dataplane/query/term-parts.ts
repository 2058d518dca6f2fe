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

const noArguments: readonly unknown[] = [];
const noFields: Fields = Object.freeze({});

/** Number, arguments and optional arguments of a term; both of the latter may be missing. */
export function termParts(term: readonly unknown[], path: Path): TermParts {
  if (term.length < 1 || term.length > 3)
    throw new CompileError(
      `Expected between 1 and 3 elements in a raw term, but found ${term.length}.`,
      path,
    );
  // Each term comes here: elements one by one are quicker than a pattern.
  const number = term[0];
  const second = term.length > 1 ? term[1] : noArguments;
  const third = term[2];
  if (typeof number !== 'number')
    throw new CompileError(
      `Expected a TermType as a NUMBER but found ${jsonTypeName(number)}.`,
      path,
    );
  if (!termNames.has(number)) throw new CompileError(`Unrecognized TermType: ${number}.`, path);
  if (number === Term.DATUM) return { number, args: noArguments, options: noFields };
  if (!Array.isArray(second) && !isFields(second))
    throw new CompileError(
      'Second element in a Term is neither arguments nor optional arguments.',
      path,
    );
  if (third !== undefined && !isFields(third))
    throw new CompileError('Third element in a Term is not optional arguments.', path);
  if (Array.isArray(second)) return { number, args: second, options: third ?? noFields };
  if (third === undefined) return { number, args: noArguments, options: second };
  throw new CompileError('Second and third element in a term are both optional arguments.', path);
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
