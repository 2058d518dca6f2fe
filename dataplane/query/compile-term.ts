import type { Datum } from '../datum/datum.ts';
import { apply, checkArguments, deferred, guarded, spread } from './application.ts';
import type { Context, TermDefinition } from './compiled.ts';
import { orderingTerms, placeOfArgument } from './compile-places.ts';
import type { Compiling } from './compiling.ts';
import { determinism } from './determinism.ts';
import type { Determinism } from './determinism.ts';
import { CompileError } from './errors.ts';
import { logic } from './failure.ts';
import { at, constant, strict } from './node.ts';
import type { Place } from './node.ts';
import type { Node, Scope } from './scope.ts';
import { isSpread } from './special-forms.ts';
import { checkOptions, listNode, termOptions } from './term-options.ts';
import type { TermOptions } from './term-options.ts';
import { wellFormed } from './term-parts.ts';
import type { Fields, TermParts } from './term-parts.ts';
import { Term, termNames } from './term-table.ts';
import { definitions } from './terms/all.ts';
import type { Value } from './value.ts';
import { refusesWrites } from './write-nesting.ts';

/** Ordinary terms: all arguments are evaluated, then the term is applied to their values. */

/** Terms that answer what is stored, which may be longer than the query's array limit. */
const readingTerms: ReadonlySet<number> = new Set([
  Term.GET_FIELD,
  Term.BRACKET,
  Term.GET,
  Term.NTH,
]);

const noValues: readonly Value[] = [];

/** Data without parts. */
export const isScalar = (data: unknown): data is Exclude<Datum, object> =>
  typeof data !== 'object' || data === null;

function definitionOf(number: number, { isAddress, path }: Place): TermDefinition {
  const definition = definitions.get(number);
  if (definition !== undefined)
    return isAddress === true ? (definition.address ?? definition) : definition;
  const name = termNames.get(number) ?? '';
  throw new CompileError(`The term ${name} is not implemented in this version of PhotonDB.`, path);
}

export function ordinaryNode(parts: TermParts, place: Place, compiling: Compiling): Node {
  const { number, args, options } = parts;
  const definition = definitionOf(number, place);
  checkArguments(definition, args, place);
  checkOptions(definition.options, options, place.path);
  const nodes = argumentNodes(parts, place, compiling);
  const late = definition.deferred === undefined ? undefined : nodes[definition.deferred];
  if (late !== undefined) nodes[definition.deferred as number] = deferred(late);
  if (definition.noSpread !== undefined && nodes.some(isSpread)) throw logic(definition.noSpread);
  const named = optionNodes(definition, parts, { place, compiling });
  const context = compiling.context;
  const { fuel, work } = context;
  const written = nodes.map((node) => node.determinism);
  const { path } = place;
  const arrayMax = readingTerms.has(number) ? Number.POSITIVE_INFINITY : context.arrayLimit;
  const hasSpread = nodes.some(isSpread);
  const hasNodes = named.nodes.length > 0;
  const guard = { path, arrayMax, context };
  const run = (values: readonly Value[], scope: Scope): Value | Promise<Value> => {
    fuel?.chargeArguments(number, values);
    if (work === undefined) return applied(values, scope);
    work.read(number, values);
    return work.isDue ? work.pause().then(() => applied(values, scope)) : applied(values, scope);
  };
  const applied = (values: readonly Value[], scope: Scope): Value | Promise<Value> => {
    const own = hasNodes ? values.slice(0, nodes.length) : values;
    const options = named.record(hasNodes ? values.slice(nodes.length) : noValues, scope);
    const args = hasSpread ? spread(own, nodes) : own;
    const call = { context, args, options, determinism: written };
    return guarded(() => apply(definition, call), own, guard);
  };
  const determined: Determinism =
    definition.determinism ??
    (definition.effects === true ? determinism.never : determinism.always);
  return strict(hasNodes ? [...nodes, ...named.nodes] : nodes, run, {
    term: number,
    work,
    pure: definition.effects !== true && named.pure,
    determinism: determined > named.determinism ? determined : named.determinism,
  });
}

/** Arguments of a term that may refuse writes, but for the sequence that it is applied to. */
function argumentNodes({ number, args }: TermParts, place: Place, compiling: Compiling): Node[] {
  return args.map((arg, position) =>
    isScalar(arg)
      ? constant(wellFormed(arg))
      : compiling.node(arg, placeOfArgument(number, place, position)),
  );
}

/** Whether there is any option for the term, with it or for the whole query. */
function isGiven(
  { options }: TermDefinition,
  terms: Fields,
  { termOptions: ofQuery }: Context,
): boolean {
  for (const _ in terms) return true;
  if (options === undefined) return false;
  for (const name of ofQuery.keys()) {
    if (Object.hasOwn(options.table, name)) return true;
  }
  return false;
}

/** Written at the term, or given for the whole query. */
function optionNodes(
  definition: TermDefinition,
  { number, options: terms }: TermParts,
  { place, compiling }: { readonly place: Place; readonly compiling: Compiling },
): TermOptions {
  if (!isGiven(definition, terms, compiling.context))
    return termOptions(definition.options, undefined, place.path);
  const nodeOf = (name: string, form: string): Node | undefined => {
    if (!Object.hasOwn(terms, name))
      return form === 'lazy' ? undefined : compiling.context.termOptions.get(name);
    const term = terms[name];
    const around = {
      takesOrder: orderingTerms.has(number),
      readOnly: place.readOnly || refusesWrites(number),
    };
    const inside = { ...at(place, name), ...around };
    if (form !== 'list' || !Array.isArray(term) || term[0] !== Term.MAKE_ARRAY)
      return compiling.node(term, inside);
    const items = (term[1] ?? []) as unknown[];
    return listNode(
      items.map((item, position) => compiling.node(item, { ...at(inside, position), ...around })),
    );
  };
  return termOptions(definition.options, nodeOf, place.path);
}
