import type { Datum } from '../datum/datum.ts';
import { compareText, emptyObject } from '../datum/object.ts';
import { checkedObject } from '../datum/pseudo-type.ts';
import { apply, checkArguments, deferred, guarded, spread } from './application.ts';
import { determinism } from './determinism.ts';
import type { CompileScope, Context, TermDefinition } from './compiled.ts';
import type { Node, Scope } from './scope.ts';
import type { Determinism } from './determinism.ts';
import { cutsOf, isLongChain, joined, slotOf } from './chain.ts';
import { appendedItem } from './appended-item.ts';
import { captured } from './closed-function.ts';
import { CompileError } from './errors.ts';
import { logic } from './failure.ts';
import type { Survey } from './large-term.ts';
import { whenDone } from './maybe-async.ts';
import { at, calledBody, constant, implicit, strict, variable, withPlace } from './node.ts';
import type { Place } from './node.ts';
import { branch, fallback, isSpread, logical, spreadBranch } from './special-forms.ts';
import { checkOptions, listNode, termOptions } from './term-options.ts';
import type { TermOptions } from './term-options.ts';
import { readFieldsOf } from './read-fields.ts';
import { specialTerms } from './special-terms.ts';
import { termParts, wellFormed } from './term-parts.ts';
import type { Fields, TermParts } from './term-parts.ts';
import { Term, termNames } from './term-table.ts';
import { definitions } from './terms/all.ts';
import { isGrouped, overGroups } from './terms/grouping.ts';
import { checkedInputIn } from './work/checked-input.ts';
import { checkArity, overLimit } from './terms/sequence-tools.ts';
import {
  ArraySelection,
  arrayValue,
  BoundObject,
  datumOf,
  FunctionValue,
  holdsBound,
  SliceValue,
  StreamValue,
  TableValue,
  wrongValue,
} from './value.ts';
import type { Value } from './value.ts';
import { refuseNestedWrite, refusesWrites } from './write-nesting.ts';

/**
 * Terms to closures. Refuses, before anything runs, unknown terms, wrong numbers of arguments and
 * unknown optional arguments; every node adds its place to an error that has none.
 */
export function compile(term: unknown, context: Context): Node {
  return new Compiler(context).node(term, rootPlace);
}

export const rootPlace: Place = { path: [], depth: 0, scope: undefined, readOnly: false };

/** Deeper nesting would overflow the stack. */
const depthMax = 500;

/** Terms that answer what is stored, which may be longer than the query's array limit. */
const readingTerms: ReadonlySet<number> = new Set([
  Term.GET_FIELD,
  Term.BRACKET,
  Term.GET,
  Term.NTH,
]);

/** Terms whose arguments may be orderings. */
const orderingTerms: ReadonlySet<number> = new Set([Term.ORDER_BY, Term.UNION]);

function refuseOrdering(number: number, { takesOrder, path }: Place): void {
  if ((number !== Term.ASC && number !== Term.DESC) || takesOrder === true) return;
  throw new CompileError(
    `${number === Term.ASC ? 'ASC' : 'DESC'} may only be used as an argument to ORDER_BY or UNION.`,
    path,
  );
}

/**
 * A parameter of a function is a value, which is there at once: what must be read first, or be called,
 * would make functions wait that are taken for pure.
 */
function refuseUnread(value: Value): void {
  const isUnread =
    value instanceof StreamValue ||
    value instanceof TableValue ||
    value instanceof SliceValue ||
    value instanceof ArraySelection;
  if (isUnread || value instanceof FunctionValue) throw wrongValue('DATUM', value);
}

function checkCount(args: readonly unknown[], wanted: number, { path }: Place): void {
  if (args.length === wanted) return;
  const noun = wanted === 1 ? 'argument' : 'arguments';
  throw new CompileError(`Expected ${wanted} ${noun} but found ${args.length}.`, path);
}

/** Where an argument of an ordinary term stands; the sequence that it is applied to may hold writes. */
export function placeOfArgument(number: number, place: Place, position: number): Place {
  const inside = at(place, position);
  if (specialTerms.has(number)) return inside;
  const readOnly = place.readOnly || (position > 0 && refusesWrites(number));
  return { ...inside, takesOrder: orderingTerms.has(number), readOnly };
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

const noValues: readonly Value[] = [];

/** Fields of an object that is made, for the price of a unit. */
const fieldsPerUnit = 8;

/** Data without parts. */
const isScalar = (data: unknown): data is Exclude<Datum, object> =>
  typeof data !== 'object' || data === null;

export class Compiler {
  readonly #context: Context;
  /** By term, what stands for the segments of chains that are compiled already. */
  #slots: Map<unknown, Node> | undefined;
  /** Of a large term, what is known of its parts, and those that are compiled already. */
  readonly #survey: Survey | undefined;
  readonly #prepared = new Map<unknown, Node>();

  constructor(context: Context, survey?: Survey) {
    this.#context = context;
    this.#survey = survey;
  }

  /** Compiles a part that `node` will come to. */
  prepare(term: unknown, place: Place): void {
    this.#prepared.set(term, this.node(term, place));
  }

  /** A part of a large term, when it is done. */
  #known(term: unknown, { data }: Survey): Node | undefined {
    if (typeof term !== 'object' || term === null) return undefined;
    const datum = data.get(term);
    if (datum === undefined) return this.#prepared.get(term);
    return { ...constant(datum), term: Array.isArray(term) ? Term.MAKE_ARRAY : Term.MAKE_OBJ };
  }

  node(term: unknown, place: Place): Node {
    if (place.depth > depthMax) throw new CompileError('Query too deeply nested.', []);
    const done = this.#survey === undefined ? undefined : this.#known(term, this.#survey);
    if (done !== undefined) return done;
    if (!Array.isArray(term)) return this.#data(term, place);
    const slots = this.#slots;
    const known = slots?.get(term);
    if (known !== undefined) slots?.delete(term);
    else if (!isLongChain(term, slots)) return this.#term(term, place);
    return known ?? this.#chain(term, place);
  }

  /** A long chain, segment by segment from the inside out. */
  #chain(term: readonly unknown[], place: Place): Node {
    this.#slots ??= new Map();
    const slots = this.#slots;
    const cuts = cutsOf({ term, place }, slots);
    const segments: Node[] = [];
    for (const link of [{ term, place }, ...cuts].reverse()) {
      const segment = this.#term(link.term as readonly unknown[], link.place);
      if (link.term !== term) slots.set(link.term, slotOf(segment));
      segments.push(segment);
    }
    return joined(segments);
  }

  #term(term: readonly unknown[], place: Place): Node {
    const { number, args, options } = termParts(term, place.path);
    if (number === Term.DATUM) return this.#literalDatum(term, place);
    refuseNestedWrite(number, place);
    refuseOrdering(number, place);
    if (specialTerms.has(number) && number !== Term.MAKE_OBJ)
      checkOptions(undefined, options, place.path);
    const located =
      this.#special({ number, args, options }, place) ??
      this.#ordinary({ number, args, options }, place);
    return this.#metered(withPlace(located, number, place.path), number);
  }

  #metered(node: Node, number: number): Node {
    return this.#context.fuel?.metered(node, number) ?? node;
  }

  /** Data stands for itself; an object may hold terms as its fields. */
  #data(data: unknown, place: Place): Node {
    if (isScalar(data)) return constant(wellFormed(data));
    return this.#object(data as Fields, place);
  }

  /** A DATUM term: nothing in it is a term. */
  #literalDatum(term: readonly unknown[], place: Place): Node {
    if (term.length !== 2) {
      throw new CompileError(
        `Expected 2 elements in a DATUM term, but found ${term.length}.`,
        place.path,
      );
    }
    const { work } = this.#context;
    let known: Datum | undefined;
    const run = (): Value | Promise<Value> =>
      known ??
      whenDone(checkedInputIn(term[1] as Datum, work), (value) => {
        known = value;
        return value;
      });
    return withPlace({ ...constant(null), run }, Term.DATUM, place.path);
  }

  #object(fields: Fields, place: Place): Node {
    const nodes = Object.entries(fields).map(
      ([name, field]) => [wellFormed(name), this.node(field, at(place, name))] as const,
    );
    const names = nodes.map(([name]) => name);
    // In canonical order, in which the text of a document is written.
    const order = names
      .map((name, position) => ({ name, position }))
      .sort((left, right) => compareText(left.name, right.name));
    const { work } = this.#context;
    const run = (values: readonly Value[]): Value | Promise<Value> => {
      work?.spend(1 + values.length / fieldsPerUnit);
      return work?.isDue === true ? work.pause().then(() => make(values)) : make(values);
    };
    const make = (values: readonly Value[]): Value => {
      if (values.some(holdsBound))
        return new BoundObject(new Map(values.map((value, at) => [names[at] as string, value])));
      const data = values.map(datumOf);
      const object = emptyObject();
      for (const { name, position } of order) object[name] = data[position] as Datum;
      return checkedObject(object);
    };
    const fieldNodes = nodes.map(([, node]) => node);
    const node = strict(fieldNodes, run, { term: Term.MAKE_OBJ, work });
    return this.#metered(withPlace(node, Term.MAKE_OBJ, place.path), Term.MAKE_OBJ);
  }

  #special({ number, args, options }: TermParts, place: Place): Node | undefined {
    if (number === Term.MAKE_OBJ) {
      if (args.length > 0)
        throw new CompileError(`Expected 0 arguments but found ${args.length}.`, place.path);
      return this.#object(options, place);
    }
    if (!specialTerms.has(number)) return undefined;
    switch (number) {
      case Term.MAKE_ARRAY:
        return this.#array(args, place);
      case Term.VAR:
        checkCount(args, 1, place);
        return variable(args[0], place, Term.VAR);
      case Term.IMPLICIT_VAR:
        checkCount(args, 0, place);
        return implicit(place, Term.IMPLICIT_VAR);
      case Term.FUNC:
        return this.#function(args, place);
      case Term.FUNCALL:
        return this.#call(args, place);
      case Term.BRANCH:
        return this.#branch(args, place);
      case Term.OR:
      case Term.AND:
        return logical(this.#nodes(args, place), number, this.#context);
      case Term.DEFAULT:
        checkCount(args, 2, place);
        return fallback(this.#nodes(args, place) as [Node, Node], number);
      default:
        return undefined;
    }
  }

  #nodes(args: readonly unknown[], place: Place): Node[] {
    return args.map((arg, position) => this.node(arg, at(place, position)));
  }

  /** Arguments of a term that may refuse writes, but for the sequence that it is applied to. */
  #arguments({ number, args }: TermParts, place: Place): Node[] {
    return args.map((arg, position) =>
      isScalar(arg)
        ? constant(wellFormed(arg))
        : this.node(arg, placeOfArgument(number, place, position)),
    );
  }

  #array(args: readonly unknown[], place: Place): Node {
    const nodes = this.#nodes(args, place);
    const make = (items: readonly Value[]): Value | Promise<Value> => {
      const [first = null, ...rest] = items;
      if (isGrouped(first))
        return overGroups(first, this.#context, (value) => make([value, ...rest]));
      if (items.length > this.#context.arrayLimit) throw overLimit(this.#context);
      return arrayValue(items);
    };
    return strict(nodes, (values) => make(spread(values, nodes)), {
      term: Term.MAKE_ARRAY,
      work: this.#context.work,
    });
  }

  #function(args: readonly unknown[], place: Place): Node {
    const inside = placeOfBody(args, place);
    const node = this.node(args[1], inside);
    const { pure, determinism } = node;
    const shape = {
      arity: inside.scope.parameters.length,
      pure,
      determinism,
      term: [Term.FUNC, args],
      isPattern: node.term === Term.MAKE_OBJ || node.isConstant === true,
      readFields: readFieldsOf(inside.scope.parameters, args[1]),
    };
    const called = calledBody(node, this.#context.work);
    const item = appendedItem(inside.scope.parameters, args[1]);
    const appended =
      item === undefined ? undefined : this.node(item, placeOfArgument(Term.APPEND, inside, 1));
    const run = (outer: Scope): Value =>
      new FunctionValue(
        {
          ...shape,
          captured: () => captured(place.scope, outer),
          appended: appended && ((values) => appended.run({ values, outer })),
        },
        (values) => called({ values, outer }),
      );
    return { pure, determinism, run, term: Term.FUNC };
  }

  /** `do`: the function is the first argument, its own arguments follow. */
  #call(args: readonly unknown[], place: Place): Node {
    if (args.length === 0)
      throw new CompileError('Expected 1 or more arguments but found 0.', place.path);
    const nodes = this.#nodes(args, place);
    const call = ([target, ...values]: readonly Value[]): Value | Promise<Value> => {
      values.forEach(refuseUnread);
      if (!(target instanceof FunctionValue)) return target as Value;
      checkArity(target, values.length);
      const [first = null, ...rest] = values;
      return isGrouped(first)
        ? overGroups(first, this.#context, (value) => target.call([value, ...rest]))
        : target.call(values);
    };
    const arrayMax = Number.POSITIVE_INFINITY;
    const guard = { path: place.path, context: this.#context, arrayMax };
    const run = (values: readonly Value[]): Value | Promise<Value> =>
      guarded(() => call(spread(values, nodes)), values, guard);
    return strict(nodes, run, { term: Term.FUNCALL, work: this.#context.work });
  }

  #branch(args: readonly unknown[], place: Place): Node {
    const nodes = this.#nodes(args, place);
    if (nodes.some(isSpread)) return spreadBranch(nodes, this.#context);
    if (args.length < 3)
      throw new CompileError(`Expected 3 or more arguments but found ${args.length}.`, place.path);
    return branch(nodes, this.#context);
  }

  #ordinary(parts: TermParts, place: Place): Node {
    const { number, args, options } = parts;
    const definition = definitions.get(number);
    const name = termNames.get(number) ?? '';
    if (definition === undefined) {
      throw new CompileError(
        `The term ${name} is not implemented in this version of PhotonDB.`,
        place.path,
      );
    }
    checkArguments(definition, args, place);
    checkOptions(definition.options, options, place.path);
    const nodes = this.#arguments(parts, place);
    const late = definition.deferred === undefined ? undefined : nodes[definition.deferred];
    if (late !== undefined) nodes[definition.deferred as number] = deferred(late);
    if (definition.noSpread !== undefined && nodes.some(isSpread)) throw logic(definition.noSpread);
    const named = this.#options(definition, parts, place);
    const context = this.#context;
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

  /** Whether there is any option for the term, with it or for the whole query. */
  #isGiven({ options }: TermDefinition, terms: Fields): boolean {
    for (const _ in terms) return true;
    if (options === undefined) return false;
    for (const name of this.#context.termOptions.keys()) {
      if (Object.hasOwn(options.table, name)) return true;
    }
    return false;
  }

  /** Written at the term, or given for the whole query. */
  #options(
    definition: TermDefinition,
    { number, options: terms }: TermParts,
    place: Place,
  ): TermOptions {
    if (!this.#isGiven(definition, terms))
      return termOptions(definition.options, undefined, place.path);
    const nodeOf = (name: string, form: string): Node | undefined => {
      if (!Object.hasOwn(terms, name))
        return form === 'lazy' ? undefined : this.#context.termOptions.get(name);
      const term = terms[name];
      const around = {
        takesOrder: orderingTerms.has(number),
        readOnly: place.readOnly || refusesWrites(number),
      };
      const inside = { ...at(place, name), ...around };
      if (form !== 'list' || !Array.isArray(term) || term[0] !== Term.MAKE_ARRAY)
        return this.node(term, inside);
      const items = (term[1] ?? []) as unknown[];
      return listNode(
        items.map((item, position) => this.node(item, { ...at(inside, position), ...around })),
      );
    };
    return termOptions(definition.options, nodeOf, place.path);
  }
}
