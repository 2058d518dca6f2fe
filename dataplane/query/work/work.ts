import { Term } from '../term-table.ts';
import type { QueryMemory } from './memory.ts';
import { OwnInserts } from './own-inserts.ts';
import { sliceMs } from './scheduler.ts';
import type { Scheduler } from './scheduler.ts';

/**
 * What a query has done since its last pause, and what it holds. Whatever loops over data spends units
 * here: a unit costs about as much as the call of a small function. The clock is read every few units, and
 * `isDue` becomes true when the slice is over; whoever sees that waits for `pause`. A count ends the slice
 * as well, so that a test with a clock that stands still finds each loop that does not spend.
 */

/** Units of the longest slice, whatever the clock says. */
export const sliceUnits = 16_384;
/** Units between two looks at the clock. */
const lookUnits = 128;

/** Items that are copied, and characters that are read, for the price of a unit. */
const itemsPerUnit = 16;
const charactersPerUnit = 256;

/** Terms whose cost does not grow with their arguments. */
const shallow: ReadonlySet<number> = new Set<number>(
  [
    [Term.VAR, Term.IMPLICIT_VAR, Term.FUNC, Term.FUNCALL, Term.ARGS, Term.TYPE_OF],
    [Term.GET_FIELD, Term.BRACKET, Term.HAS_FIELDS, Term.NTH, Term.COUNT, Term.IS_EMPTY],
  ].flat(),
);

export class Work {
  readonly memory: QueryMemory;
  readonly ownInserts: OwnInserts;
  readonly #scheduler: Scheduler;
  readonly #origin: { readonly signal: AbortSignal };
  /** Until the clock is read. */
  #left = lookUnits;
  #spent = 0;
  #begunAt: number;
  #isDue = false;

  constructor(scheduler: Scheduler, memory: QueryMemory, origin: { readonly signal: AbortSignal }) {
    this.#scheduler = scheduler;
    this.memory = memory;
    this.ownInserts = new OwnInserts(memory);
    this.#origin = origin;
    this.#begunAt = scheduler.now();
  }

  /** The slice is over: `pause` comes before anything else is computed. */
  get isDue(): boolean {
    return this.#isDue;
  }

  spend(units: number): void {
    this.#left -= units;
    if (this.#left < 0) this.#look();
  }

  /** So many characters are read or written. */
  spendText(characters: number): void {
    this.spend(characters / charactersPerUnit);
  }

  /** A term reads its arguments, or copies them. */
  read(term: number, args: readonly unknown[]): void {
    let units = 1;
    if (!shallow.has(term)) {
      for (const arg of args) {
        if (typeof arg === 'string') units += arg.length / charactersPerUnit;
        else if (Array.isArray(arg)) units += arg.length / itemsPerUnit;
      }
    }
    this.spend(units);
  }

  #look(): void {
    this.#spent += lookUnits - this.#left;
    this.#left = lookUnits;
    this.#isDue = this.#spent >= sliceUnits || this.#scheduler.now() - this.#begunAt >= sliceMs;
  }

  /** Others have their turn. Throws when the query was cancelled. */
  async pause(): Promise<void> {
    await this.#scheduler.turn();
    this.#origin.signal.throwIfAborted();
    this.#isDue = false;
    this.#spent = 0;
    this.#left = lookUnits;
    this.#begunAt = this.#scheduler.now();
  }
}
