import type { Datum } from '../../datum/datum.ts';
import { closedTerm } from '../closed-function.ts';
import { determinism } from '../compiled.ts';
import type { Context } from '../compiled.ts';
import type { IndexInfo } from '../environment.ts';
import { logic } from '../failure.ts';
import { decodeIndex, encodeIndex } from '../function-blob.ts';
import type { IndexFunction } from '../function-blob.ts';
import { termText } from '../term-text.ts';
import { FunctionValue, Special, wrongValue } from '../value.ts';
import type { Value } from '../value.ts';
import { binaryDatum, bytesOf, isBinary } from './binary.ts';

/**
 * What an index is over: the name of a field, or a function of the document as its term. Clients give a
 * function or the bytes that `indexStatus` answers, and get bytes and a text of it.
 */
export interface IndexDefinition {
  /** JSON text. */
  readonly definition: string;
  /** As the bytes say. */
  readonly multi: boolean;
  readonly geo: boolean;
}

const term = { makeArray: 2, variable: 10, function: 69, bracket: 170 } as const;
const plain = { multi: false, geo: false } as const;

/** Of the third argument of `indexCreate`; without one the index is over the field of its name. */
export function indexDefinition(
  by: Value | undefined,
  name: string,
  context: Context,
): IndexDefinition {
  if (by === undefined) return { definition: JSON.stringify(name), ...plain };
  const given =
    by instanceof FunctionValue ? { term: closedTerm(by), ...plain } : storedFunction(by);
  const compiled = context.compileFunction(given.term, context);
  if (compiled.determinism !== determinism.always)
    throw logic('Could not prove function deterministic.  Index functions must be deterministic.');
  const { multi, geo } = given;
  return { definition: JSON.stringify(fieldOfTerm(given.term) ?? given.term), multi, geo };
}

function storedFunction(value: Value): IndexFunction {
  if (value instanceof Special || !isBinary(value)) throw wrongValue('FUNCTION', value);
  const decoded = decodeIndex(bytesOf(value));
  if (decoded.type === 'decoded') return decoded.value;
  if (decoded.type === 'foreign')
    throw logic(
      'Cannot create an sindex except from a reql_index_function returned from `index_status` in the field `function`.',
    );
  throw logic(
    `Binary blob passed to index create could not be interpreted as a reql_index_function (${decoded.reason}).`,
  );
}

/** The field, for a function that only reads one: such an index needs no function. */
function fieldOfTerm(functionTerm: unknown): string | undefined {
  const [, [parameters, body] = []] = functionTerm as [unknown, [unknown, unknown]?];
  const [, ids] = parameters as [unknown, unknown];
  const [number, args] = Array.isArray(body) ? (body as [unknown, unknown]) : [];
  if (number !== term.bracket || !Array.isArray(args) || !Array.isArray(ids)) return undefined;
  const [of, field] = args as [unknown, unknown];
  const isParameter = JSON.stringify(of) === JSON.stringify([term.variable, [ids[0] as unknown]]);
  return isParameter && typeof field === 'string' && args.length === 2 ? field : undefined;
}

function termOf({ definition }: Pick<IndexInfo, 'definition'>): unknown {
  const stored: unknown = JSON.parse(definition);
  if (typeof stored !== 'string') return stored;
  return [
    term.function,
    [
      [term.makeArray, [1]],
      [term.bracket, [[term.variable, [1]], stored]],
    ],
  ];
}

export const indexBytes = (index: IndexInfo): Datum =>
  binaryDatum(encodeIndex({ term: termOf(index), multi: index.multi, geo: index.geo }));

/** The query that makes the index, in JavaScript. */
export function indexQuery(index: IndexInfo): string {
  const options = [
    ...(index.multi ? ['multi: true'] : []),
    ...(index.geo ? ['geo: true'] : []),
  ].join(', ');
  const end = options === '' ? '' : `, {${options}}`;
  return `indexCreate(${JSON.stringify(index.name)}, ${termText(termOf(index))}${end})`;
}
