import type { CompileScope } from './compiled.ts';
import { CompileError } from './errors.ts';
import { at } from './node.ts';
import type { Place } from './node.ts';
import { specialTerms } from './special-terms.ts';
import { Term } from './term-table.ts';
import { refusesWrites } from './write-nesting.ts';

/** Where the parts of a term stand, and what may stand there. */

export const rootPlace: Place = { path: [], depth: 0, scope: undefined, readOnly: false };

/** Terms whose arguments may be orderings. */
export const orderingTerms: ReadonlySet<number> = new Set([Term.ORDER_BY, Term.UNION]);

/** Terms that write what they are applied to: a shard reads the document when it evaluates the edit. */
const writingTerms: ReadonlySet<number> = new Set([Term.UPDATE, Term.REPLACE, Term.DELETE]);

export function refuseOrdering(number: number, { takesOrder, path }: Place): void {
  if ((number !== Term.ASC && number !== Term.DESC) || takesOrder === true) return;
  throw new CompileError(
    `${number === Term.ASC ? 'ASC' : 'DESC'} may only be used as an argument to ORDER_BY or UNION.`,
    path,
  );
}

/** Where an argument of an ordinary term stands; the sequence that it is applied to may hold writes. */
export function placeOfArgument(number: number, place: Place, position: number): Place {
  const inside = at(place, position);
  if (specialTerms.has(number)) return inside;
  const readOnly = place.readOnly || (position > 0 && refusesWrites(number));
  const isAddress = position === 0 && writingTerms.has(number);
  return { ...inside, takesOrder: orderingTerms.has(number), isAddress, readOnly };
}

/** Where the body of a function stands. */
export function placeOfBody(
  args: readonly unknown[],
  place: Place,
): Place & { readonly scope: CompileScope } {
  const [parameters] = args;
  const list: unknown =
    Array.isArray(parameters) && parameters[0] === Term.MAKE_ARRAY
      ? (parameters[1] ?? [])
      : parameters;
  const isList = Array.isArray(list) && list.every((id) => typeof id === 'number');
  if (!isList || args.length !== 2)
    throw new CompileError('Expected an array of parameters and a body.', place.path);
  return { ...at(place, 1), scope: { parameters: list, outer: place.scope } };
}
