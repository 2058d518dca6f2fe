import type { Datum } from '../datum/datum.ts';
import { checkedInput } from '../datum/input.ts';
import { emptyObject } from '../datum/object.ts';
import { checkedObject } from '../datum/pseudo-type.ts';
import { jsonTypeName } from '../datum/type-name.ts';
import { determinism } from './compiled.ts';
import type { Context, Determinism, Node, Path, Scope, TermDefinition } from './compiled.ts';
import { captured } from './closed-function.ts';
import { CompileError, MalformedQueryError } from './errors.ts';
import { logic } from './failure.ts';
import { at, atArgument, constant, implicit, strict, variable, withPlace } from './node.ts';
import type { Place } from './node.ts';
import { branch, fallback, logical, spreadBranch } from './special-forms.ts';
import { checkOptions, listNode, termOptions } from './term-options.ts';
import type { TermOptions } from './term-options.ts';
import { Term, termNames } from './term-table.ts';
import { definitions } from './terms/all.ts';
import { groupsOf, isGrouped } from './terms/grouping.ts';
import { overLimit } from './terms/sequence-tools.ts';
import {
  BoundArray,
  BoundObject,
  datumOf,
  FunctionValue,
  GroupedValue,
  holdsBound,
} from './value.ts';
import type { Value } from './value.ts';
import { refuseNestedWrite, refusesWrites } from './write-nesting.ts';

/**
 * Terms to closures. Refuses, before anything runs, unknown terms, wrong numbers of arguments and
 * unknown optional arguments; every node adds its place to an error that has none.
 */
export function compile(term: unknown, context: Context): Node {
  return new Compiler(context).node(term, { path: [], scope: undefined, readOnly: false });
}

/** Deeper nesting would overflow the stack. */
const depthMax = 500;

/** Terms whose arguments are not all evaluated before them. */
const specialForms = [
  Term.MAKE_ARRAY,
  Term.MAKE_OBJ,
  Term.VAR,
  Term.IMPLICIT_VAR,
  Term.FUNCALL,
  Term.BRANCH,
  Term.OR,
  Term.AND,
  Term.FUNC,
  Term.DEFAULT,
] as const;
export const specialTerms: ReadonlySet<number> = new Set([Term.DATUM, ...specialForms]);
/** Terms that answer what is stored, which may be longer than the query's array limit. */
const readingTerms: ReadonlySet<number> = new Set([
  Term.GET_FIELD,
  Term.BRACKET,
  Term.GET,
  Term.NTH,
]);

const count = (number: number, noun: string): string =>
  `${number} ${noun}${number === 1 ? '' : 's'}`;

function arityText(least: number, most: number): string {
  if (least === most) return count(least, 'argument');
  return most === Number.POSITIVE_INFINITY
    ? `${least} or more arguments`
    : `between ${least} and ${most} arguments`;
}

type Fields = Readonly<Record<string, unknown>>;

interface TermParts {
  readonly number: number;
  readonly args: readonly unknown[];
  readonly options: Fields;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Number, arguments and optional arguments of a term; both of the latter may be missing. */
function termParts(term: readonly unknown[], path: Path): TermParts {
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
function wellFormed<T extends Datum>(scalar: T): T {
  const isOne =
    typeof scalar === 'number'
      ? Number.isFinite(scalar)
      : typeof scalar !== 'string' || scalar.isWellFormed();
  if (!isOne) throw new MalformedQueryError();
  return scalar;
}

class Compiler {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  node(term: unknown, place: Place): Node {
    if (place.path.length > depthMax) throw new CompileError('Query too deeply nested.', []);
    if (!Array.isArray(term)) return this.#data(term, place);
    const { number, args, options } = termParts(term, place.path);
    if (number === Term.DATUM) return this.#literalDatum(term, place);
    refuseNestedWrite(number, place);
    if (specialTerms.has(number) && number !== Term.MAKE_OBJ)
      checkOptions(undefined, options, place.path);
    const located =
      this.#special({ number, args, options }, place) ??
      this.#ordinary({ number, args, options }, place);
    return withPlace(located, number, place.path);
  }

  /** Data stands for itself; an object may hold terms as its fields. */
  #data(data: unknown, place: Place): Node {
    if (typeof data !== 'object' || data === null) return constant(wellFormed(data as Datum));
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
    const node = constant(null);
    const run = (): Value => checkedInput(term[1] as Datum);
    return withPlace({ ...node, run }, Term.DATUM, place.path);
  }

  #object(fields: Fields, place: Place): Node {
    const nodes = Object.entries(fields).map(
      ([name, field]) => [wellFormed(name), this.node(field, at(place, name))] as const,
    );
    const make = (values: readonly Value[]): Value => {
      if (values.some(holdsBound)) return new BoundObject(values);
      const object = emptyObject();
      nodes.forEach(([name], position) => (object[name] = datumOf(values[position] as Value)));
      return checkedObject(object);
    };
    const fieldNodes = nodes.map(([, node]) => node);
    const node = strict(fieldNodes, make, { term: Term.MAKE_OBJ });
    return withPlace(node, Term.MAKE_OBJ, place.path);
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
        return variable(args[0], place, Term.VAR);
      case Term.IMPLICIT_VAR:
        return implicit(place, Term.IMPLICIT_VAR);
      case Term.FUNC:
        return this.#function(args, place);
      case Term.FUNCALL:
        return this.#call(args, place);
      case Term.BRANCH:
        return this.#branch(args, place);
      case Term.OR:
      case Term.AND:
        return logical(this.#nodes(args, place), number, number === Term.OR);
      case Term.DEFAULT:
        if (args.length !== 2)
          throw new CompileError(`Expected 2 arguments but found ${args.length}.`, place.path);
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
    if (!refusesWrites(number)) return this.#nodes(args, place);
    const inside = { ...place, readOnly: true };
    return args.map((arg, position) =>
      this.node(arg, at(position === 0 ? place : inside, position)),
    );
  }

  #array(args: readonly unknown[], place: Place): Node {
    const nodes = this.#nodes(args, place);
    const make = (values: readonly Value[]): Value => {
      const items = spread(values, nodes);
      if (items.length > this.#context.arrayLimit) throw overLimit(this.#context);
      return items.some(holdsBound) ? new BoundArray(items) : items.map(datumOf);
    };
    return strict(nodes, make, { term: Term.MAKE_ARRAY });
  }

  #function(args: readonly unknown[], place: Place): Node {
    const [parameters, body] = args;
    const list =
      Array.isArray(parameters) && parameters[0] === Term.MAKE_ARRAY
        ? (parameters[1] as unknown[])
        : parameters;
    const isList = Array.isArray(list) && list.every((id) => typeof id === 'number');
    if (!isList || args.length !== 2) {
      throw new CompileError('Expected an array of parameters and a body.', place.path);
    }
    const scope = { parameters: list, outer: place.scope };
    const node = this.node(body, { ...at(place, 1), scope });
    const { pure, determinism } = node;
    const shape = {
      arity: list.length,
      pure,
      determinism,
      term: [Term.FUNC, args],
      isPattern: node.term === Term.MAKE_OBJ || node.isConstant === true,
    };
    const run = (outer: Scope): Value =>
      new FunctionValue({ ...shape, captured: () => captured(place.scope, outer) }, (values) =>
        node.run({ values, outer }),
      );
    return { pure, determinism, run, term: Term.FUNC };
  }

  /** `do`: the function is the first argument, its own arguments follow. */
  #call(args: readonly unknown[], place: Place): Node {
    if (args.length === 0)
      throw new CompileError('Expected 1 or more arguments but found 0.', place.path);
    const nodes = this.#nodes(args, place);
    const call = ([target, ...values]: readonly Value[]): Value | Promise<Value> => {
      if (!(target instanceof FunctionValue)) return target as Value;
      if (target.arity !== values.length) {
        throw logic(
          `Expected function with ${count(values.length, 'argument')} but found function with ${count(target.arity, 'argument')}.`,
        );
      }
      return target.call(values);
    };
    return strict(nodes, (values) => call(spread(values, nodes)), { term: Term.FUNCALL });
  }

  #branch(args: readonly unknown[], place: Place): Node {
    const nodes = this.#nodes(args, place);
    if (nodes.some(isSpread)) return spreadBranch(nodes, Term.ARGS, Term.BRANCH);
    if (args.length < 3)
      throw new CompileError(`Expected 3 or more arguments but found ${args.length}.`, place.path);
    return branch(nodes, Term.BRANCH);
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
    const nodes = this.#arguments(parts, place).map((node, position) =>
      position === definition.deferred ? deferred(node) : node,
    );
    if (definition.noSpread !== undefined && nodes.some(isSpread)) throw logic(definition.noSpread);
    const named = this.#options(definition, parts, place);
    const context = this.#context;
    const written = nodes.map((node) => node.determinism);
    const { path } = place;
    const arrayMax = readingTerms.has(number) ? Number.POSITIVE_INFINITY : context.arrayLimit;
    const run = (values: readonly Value[], scope: Scope): Value | Promise<Value> => {
      const own = values.slice(0, nodes.length);
      const record = named.record(values.slice(nodes.length), scope);
      const call = { context, args: spread(own, nodes), options: record, determinism: written };
      return guarded(() => apply(definition, call), { values: own, path, arrayMax, context });
    };
    const determined: Determinism =
      definition.determinism ??
      (definition.effects === true ? determinism.never : determinism.always);
    return strict([...nodes, ...named.nodes], run, {
      term: number,
      pure: definition.effects !== true && named.pure,
      determinism: determined > named.determinism ? determined : named.determinism,
    });
  }

  /** Written at the term, or given for the whole query. */
  #options(
    definition: TermDefinition,
    { number, options: terms }: TermParts,
    place: Place,
  ): TermOptions {
    const nodeOf = (name: string, form: string): Node | undefined => {
      if (!Object.hasOwn(terms, name))
        return form === 'lazy' ? undefined : this.#context.termOptions.get(name);
      const term = terms[name];
      const inside = { ...at(place, name), readOnly: place.readOnly || refusesWrites(number) };
      if (form !== 'list' || !Array.isArray(term) || term[0] !== Term.MAKE_ARRAY)
        return this.node(term, inside);
      return listNode(this.#nodes((term[1] ?? []) as unknown[], inside));
    };
    return termOptions(definition.options, nodeOf, place.path);
  }
}

interface Guard {
  readonly values: readonly Value[];
  readonly path: Path;
  readonly arrayMax: number;
  readonly context: Context;
}

/** Gives errors the place of the argument that they are about, and bounds arrays. */
function guarded(run: () => Value | Promise<Value>, guard: Guard): Value | Promise<Value> {
  const bounded = (value: Value): Value => {
    if (Array.isArray(value) && value.length > guard.arrayMax) throw overLimit(guard.context);
    return value;
  };
  try {
    const value = run();
    if (!(value instanceof Promise)) return bounded(value);
    return value.then(bounded).catch((error: unknown) => {
      throw atArgument(error, guard.values, guard.path);
    });
  } catch (error) {
    throw atArgument(error, guard.values, guard.path);
  }
}

const isSpread = (node: Node): boolean => node.term === Term.ARGS;

function checkArguments(definition: TermDefinition, args: readonly unknown[], place: Place): void {
  const spreads = args.some((arg) => Array.isArray(arg) && arg[0] === Term.ARGS);
  const [least, most] = definition.arity;
  if (!spreads && (args.length < least || args.length > most)) {
    throw new CompileError(
      `Expected ${arityText(least, most)} but found ${args.length}.`,
      place.path,
    );
  }
}

function checkCount({ arity: [least, most] }: TermDefinition, found: number): void {
  if (found >= least && found <= most) return;
  throw logic(`Expected ${arityText(least, most)} but found ${found}.`);
}

/** A grouped first argument: the term applies to the value of each group. */
function apply(
  definition: TermDefinition,
  call: Parameters<TermDefinition['run']>[0],
): Value | Promise<Value> {
  checkCount(definition, call.args.length);
  const [first = null, ...rest] = call.args;
  if (!isGrouped(first) || definition.grouped === true) return definition.run(call);
  return groupsOf(first, call.context).then(async (groups) => {
    const results = [];
    for (const { key, value } of groups)
      results.push({ key, value: await definition.run({ ...call, args: [value, ...rest] }) });
    return new GroupedValue(results);
  });
}

/** `args` puts the items of an array in its own place. */
function spread(values: readonly Value[], nodes: readonly Node[]): readonly Value[] {
  if (!nodes.some(isSpread)) return values;
  return values.flatMap((value, position) =>
    nodes[position]?.term === Term.ARGS && Array.isArray(value) ? (value as Value[]) : [value],
  );
}

/** What is written in place of a function: evaluated at each call. */
function deferred(node: Node): Node {
  if (node.term === Term.FUNC) return node;
  const { pure, determinism } = node;
  const shape = { arity: 1, pure, determinism, term: undefined };
  const run = (scope: Scope): Value =>
    new FunctionValue(shape, (args) => {
      const called = (value: Value): Value | Promise<Value> =>
        value instanceof FunctionValue ? value.call(args) : value;
      const value = node.run(scope);
      return value instanceof Promise ? value.then(called) : called(value);
    });
  return { ...node, pure: true, run };
}
