import { PhotonError } from '../common/errors.ts';
import type { DatumObject } from '../datum/datum.ts';
import { datumDepthMax } from '../datum/limits.ts';
import type { Node } from './scope.ts';
import type { Value } from './value.ts';
import { Term } from './term-table.ts';
import { OpaqueValue } from './value.ts';

/**
 * What an evaluation may cost: a count of evaluated nodes and of the values that they read and make,
 * and no clock, so that every replica ends at the same node. Only nodes that are compiled with fuel
 * count; those of ordinary queries cost nothing.
 */
export class OutOfFuelError extends PhotonError {
  override readonly code = 'query.out_of_fuel';
  constructor(units: number) {
    super(`It needs more than ${units} units of work on one document.`);
  }
}

/**
 * For an index function, or the function of an edit, on one document: about five milliseconds of one core, and more for a larger document.
 * A command of the log holds some hundred documents or a megabyte of them, and is applied in one go.
 */
const documentFuel = { base: 50_000, perCharacter: 4, most: 10_000_000 } as const;

export const documentFuelOf = (characters: number): number =>
  Math.min(documentFuel.most, documentFuel.base + documentFuel.perCharacter * characters);

/** Characters that cost as much as the evaluation of a node. */
const charactersPerUnit = 16;

/** What weighs less is weighed as quickly as it is looked up. */
const keptWeightMin = 32;

/** Terms whose cost does not grow with their arguments: variables, fields, items, constants, choices. */
const shallow: ReadonlySet<number> = new Set(
  [
    [Term.DATUM, Term.VAR, Term.IMPLICIT_VAR, Term.FUNC, Term.FUNCALL, Term.ARGS],
    [Term.BRANCH, Term.OR, Term.AND, Term.NOT, Term.DEFAULT, Term.TYPE_OF],
    [Term.GET_FIELD, Term.BRACKET, Term.HAS_FIELDS, Term.NTH, Term.COUNT, Term.IS_EMPTY],
  ].flat(),
);

/** Terms that look at each part of their arguments more than once. */
const factors: ReadonlyMap<number, number> = new Map([
  [Term.ORDER_BY, 16],
  [Term.DISTINCT, 4],
  [Term.SET_INSERT, 4],
  [Term.SET_INTERSECTION, 4],
  [Term.SET_UNION, 4],
  [Term.SET_DIFFERENCE, 4],
  [Term.DIFFERENCE, 4],
  [Term.MATCH, 64],
]);

export class Fuel {
  #units = 0;
  /** What parts of values weigh: they never change. */
  readonly #weights = new WeakMap<object, number>();
  #left = 0;

  constructor(units: number) {
    this.refill(units);
  }

  /** For the next document. */
  refill(units: number): void {
    this.#units = units;
    this.#left = units;
  }

  get left(): number {
    return this.#left;
  }

  charge(units: number): void {
    this.#left -= units;
    if (this.#left < 0) throw new OutOfFuelError(this.#units);
  }

  /** What a term does with its arguments, before it does. */
  chargeArguments(term: number, values: readonly Value[]): void {
    if (shallow.has(term)) return;
    const factor = factors.get(term) ?? 1;
    for (const value of values) this.charge(factor * this.#weightOf(value));
  }

  /** The node, which counts each of its evaluations, and what it makes. */
  metered(node: Node, term: number): Node {
    const makesNothing = shallow.has(term);
    return {
      ...node,
      run: (scope) => {
        this.charge(1);
        const value = node.run(scope);
        if (!makesNothing && !(value instanceof Promise)) this.charge(this.#weightOf(value));
        return value;
      },
    };
  }

  #weightOf(value: unknown, depth = 0): number {
    if (typeof value === 'string') return 1 + Math.floor(value.length / charactersPerUnit);
    if (typeof value !== 'object' || value === null || value instanceof OpaqueValue) return 1;
    const known = this.#weights.get(value);
    if (known !== undefined) return known;
    // What is deeper is refused by whoever compares it, makes a key or text of it.
    if (depth > datumDepthMax) return 1;
    let weight = 1;
    if (Array.isArray(value)) {
      for (const item of value) weight += this.#weightOf(item, depth + 1);
    } else {
      for (const name of Object.keys(value)) {
        const field = (value as DatumObject)[name];
        weight +=
          1 + Math.floor(name.length / charactersPerUnit) + this.#weightOf(field, depth + 1);
      }
    }
    if (weight >= keptWeightMin) this.#weights.set(value, weight);
    return weight;
  }
}
