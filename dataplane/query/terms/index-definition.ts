import { binaryBytes } from '../../datum/compare.ts';
import { closedTerm } from '../closed-function.ts';
import { determinism } from '../determinism.ts';
import type { Context } from '../compiled.ts';
import type { IndexInfo } from '../environment.ts';
import { about, logic } from '../failure.ts';
import { decodeIndex } from '../function-blob.ts';
import type { IndexFunction } from '../function-blob.ts';
import { Term } from '../term-table.ts';
import { termText } from '../term-text.ts';
import { wrongValue } from '../value-reading.ts';
import { FunctionValue, OpaqueValue } from '../value.ts';
import type { Value } from '../value.ts';
import { isBinary } from './binary.ts';
import { checkArity } from './sequence-tools.ts';

/**
 * What an index is made of: a function, or the bytes that `indexStatus` gives of one, by which an index
 * is copied, dumped and restored, also from RethinkDB.
 */

/** The field of the index's name. */
export const fieldIndex = (name: string): IndexFunction => ({
  term: [
    Term.FUNC,
    [
      [Term.MAKE_ARRAY, [1]],
      [Term.BRACKET, [[Term.VAR, [1]], name]],
    ],
  ],
  multi: false,
  geo: false,
});

export function indexOf(by: Value): IndexFunction {
  if (by instanceof FunctionValue) return { term: closedTerm(by), multi: false, geo: false };
  if (by instanceof OpaqueValue || !isBinary(by)) throw wrongValue('FUNCTION', by);
  const decoded = decodeIndex(binaryBytes(by));
  if (decoded.type === 'decoded') return decoded.value;
  throw about(
    logic(
      decoded.type === 'foreign'
        ? 'Cannot create an sindex except from a reql_index_function returned from `index_status` in the field `function`.'
        : `Binary blob passed to index create could not be interpreted as a reql_index_function (${decoded.reason}).`,
    ),
    by,
  );
}

/** The values of an index follow from the document alone. */
export function checkIndexFunction({ term }: IndexFunction, context: Context): void {
  const compiled = context.compileFunction(term, context);
  if (compiled.determinism !== determinism.always)
    throw logic('Could not prove function deterministic.  Index functions must be deterministic.');
  checkArity(compiled.value, 1);
}

/** How it is kept: the name of a field, which is read without a function, or the term. */
export function definitionOf(term: unknown): string {
  return JSON.stringify(fieldOfFunction(term) ?? term);
}

/** The name of the field that the function of a document is nothing but. */
function fieldOfFunction(term: unknown): string | undefined {
  const [, [parameters, body] = []] = term as [number, unknown[]?];
  const ids =
    Array.isArray(parameters) && Array.isArray(parameters[1]) ? parameters[1] : parameters;
  if (!Array.isArray(ids) || ids.length !== 1 || !Array.isArray(body)) return undefined;
  const [number, args] = body as [number, unknown[]?];
  if ((number !== Term.BRACKET && number !== Term.GET_FIELD) || args?.length !== 2)
    return undefined;
  const [from, name] = args;
  return isDocument(from, ids[0]) && body.length === 2 && typeof name === 'string'
    ? name
    : undefined;
}

/** Whether a term is the parameter of the function around it. */
function isDocument(term: unknown, id: unknown): boolean {
  if (!Array.isArray(term)) return false;
  const [number, args] = term as [number, unknown[]?];
  return number === Term.IMPLICIT_VAR || (number === Term.VAR && args?.[0] === id);
}

export function functionTerm({ definition }: Pick<IndexInfo, 'definition'>): unknown {
  const kept = JSON.parse(definition) as unknown;
  return typeof kept === 'string' ? fieldIndex(kept).term : kept;
}

/** The call that made the index, as a driver in JavaScript writes it. */
export function creationText(index: IndexInfo): string {
  const options = index.multi ? ', {multi: true}' : '';
  return `indexCreate(${quoted(index.name)}, ${termText(functionTerm(index))}${options})`;
}

const quoted = (name: string): string => `'${name.replaceAll(/['\\]/g, '\\$&')}'`;
