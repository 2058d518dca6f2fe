import type { Datum } from '../datum/datum.ts';
import { compareText, emptyObject } from '../datum/object.ts';
import { checkedObject } from '../datum/pseudo-type.ts';
import { spread } from './application.ts';
import { cutsOf, isLongChain, joined, slotOf } from './chain.ts';
import { callNode, functionNode } from './compile-function.ts';
import { refuseOrdering, rootPlace } from './compile-places.ts';
import { isScalar, ordinaryNode } from './compile-term.ts';
import type { Context } from './compiled.ts';
import type { Compiling } from './compiling.ts';
import { CompileError } from './errors.ts';
import type { Survey } from './large-term.ts';
import { whenDone } from './maybe-async.ts';
import { at, constant, implicit, strict, variable, withPlace } from './node.ts';
import type { Place } from './node.ts';
import type { Node } from './scope.ts';
import { branch, fallback, isSpread, logical, spreadBranch } from './special-forms.ts';
import { specialTerms } from './special-terms.ts';
import { checkOptions } from './term-options.ts';
import { termParts, wellFormed } from './term-parts.ts';
import type { Fields, TermParts } from './term-parts.ts';
import { Term } from './term-table.ts';
import { isGrouped, overGroups } from './terms/grouping.ts';
import { overLimit } from './terms/sequence-tools.ts';
import { arrayValue, datumOf } from './value-reading.ts';
import { BoundObject, holdsBound } from './value.ts';
import type { Value } from './value.ts';
import { checkedInputIn } from './work/checked-input.ts';
import { refuseNestedWrite } from './write-nesting.ts';

/**
 * Terms to closures. Refuses, before anything runs, unknown terms, wrong numbers of arguments and
 * unknown optional arguments; every node adds its place to an error that has none.
 */
export function compile(term: unknown, context: Context): Node {
  return new Compiler(context).node(term, rootPlace);
}

/** Deeper nesting would overflow the stack. */
const depthMax = 500;

function checkCount(args: readonly unknown[], wanted: number, { path }: Place): void {
  if (args.length === wanted) return;
  const noun = wanted === 1 ? 'argument' : 'arguments';
  throw new CompileError(`Expected ${wanted} ${noun} but found ${args.length}.`, path);
}

/** Fields of an object that is made, for the price of a unit. */
const fieldsPerUnit = 8;

export class Compiler implements Compiling {
  readonly context: Context;
  /** By term, what stands for the segments of chains that are compiled already. */
  #slots: Map<unknown, Node> | undefined;
  /** Of a large term, what is known of its parts, and those that are compiled already. */
  readonly #survey: Survey | undefined;
  readonly #prepared = new Map<unknown, Node>();

  constructor(context: Context, survey?: Survey) {
    this.context = context;
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
      ordinaryNode({ number, args, options }, place, this);
    return this.#metered(withPlace(located, number, place.path), number);
  }

  #metered(node: Node, number: number): Node {
    return this.context.fuel?.metered(node, number) ?? node;
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
    const { work } = this.context;
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
    const { work } = this.context;
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
        return functionNode(args, place, this);
      case Term.FUNCALL:
        return callNode(args, place, this);
      case Term.BRANCH:
        return this.#branch(args, place);
      case Term.OR:
      case Term.AND:
        return logical(this.nodes(args, place), number, this.context);
      case Term.DEFAULT:
        checkCount(args, 2, place);
        return fallback(this.nodes(args, place) as [Node, Node], number);
      default:
        return undefined;
    }
  }

  nodes(args: readonly unknown[], place: Place): Node[] {
    return args.map((arg, position) => this.node(arg, at(place, position)));
  }

  #array(args: readonly unknown[], place: Place): Node {
    const nodes = this.nodes(args, place);
    const make = (items: readonly Value[]): Value | Promise<Value> => {
      const [first = null, ...rest] = items;
      if (isGrouped(first))
        return overGroups(first, this.context, (value) => make([value, ...rest]));
      if (items.length > this.context.arrayLimit) throw overLimit(this.context);
      return arrayValue(items);
    };
    return strict(nodes, (values) => make(spread(values, nodes)), {
      term: Term.MAKE_ARRAY,
      work: this.context.work,
    });
  }

  #branch(args: readonly unknown[], place: Place): Node {
    const nodes = this.nodes(args, place);
    if (nodes.some(isSpread)) return spreadBranch(nodes, this.context);
    if (args.length < 3)
      throw new CompileError(`Expected 3 or more arguments but found ${args.length}.`, place.path);
    return branch(nodes, this.context);
  }
}
