import { resourceLimit } from './failure.ts';
import { Term } from './term-table.ts';
import type { Value } from './value.ts';

/**
 * How much a query computes between two pauses, in which the node does everything else. Streams pause
 * between their batches; what is computed of arrays alone does not, and nested functions over arrays would
 * keep the node from its other clients for hours. A count of calls and of the items that terms read, and no
 * clock: some seconds of one core.
 */
const unitsMax = 25_000_000;
/** A stream pauses between two items when so much was computed. */
const longUnits = 1_000_000;

/** Terms whose cost does not grow with their arguments. */
const shallow: ReadonlySet<number> = new Set<number>(
  [
    [Term.VAR, Term.IMPLICIT_VAR, Term.FUNC, Term.FUNCALL, Term.ARGS, Term.TYPE_OF],
    [Term.GET_FIELD, Term.BRACKET, Term.HAS_FIELDS, Term.NTH, Term.COUNT, Term.IS_EMPTY],
  ].flat(),
);

/** Terms that look at each part of their arguments many times. */
const factors: ReadonlyMap<number, number> = new Map([
  [Term.ORDER_BY, 32],
  [Term.DISTINCT, 16],
  [Term.CONTAINS, 4],
  [Term.OFFSETS_OF, 4],
  [Term.SET_INSERT, 8],
  [Term.SET_INTERSECTION, 8],
  [Term.SET_UNION, 8],
  [Term.SET_DIFFERENCE, 8],
  [Term.DIFFERENCE, 8],
  [Term.MATCH, 64],
]);

/** Items, and sixteen characters each, that cost as much as the call of a function. */
const itemsPerUnit = 8;
const charactersPerUnit = 128;

export class Turn {
  #left = unitsMax;

  /** The node had time for others. */
  begin(): void {
    this.#left = unitsMax;
  }

  get isLong(): boolean {
    return this.#left < unitsMax - longUnits;
  }

  /** A function is called. */
  call(): void {
    this.#take(1);
  }

  /** A term reads its arguments. */
  read(term: number, args: readonly Value[]): void {
    if (shallow.has(term)) return;
    let units = 0;
    for (const arg of args) {
      if (typeof arg === 'string') units += arg.length / charactersPerUnit;
      else if (Array.isArray(arg)) units += arg.length / itemsPerUnit;
    }
    if (units >= 1) this.#take(units * (factors.get(term) ?? 1));
  }

  #take(units: number): void {
    this.#left -= units;
    if (this.#left >= 0) return;
    throw resourceLimit(
      'Query computes too much without a pause: functions over arrays are called too often. Nest fewer of them, or read from a stream (a table, `r.range`) in place of an array.',
    );
  }
}
