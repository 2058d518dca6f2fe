import type { Datum } from '../datum/datum.ts';
import { DatumMap } from '../datum/datum-map.ts';
import { canonicalText } from '../datum/text.ts';
import type { FoldType, ScanFold } from '../wire/pushed-scan.ts';
import type { FoldState } from '../wire/shard-engine.ts';
import type { Row } from '../wire/table-access.ts';
import type { EditValue } from '../wire/table-edit.ts';
import type { Context } from './compiled.ts';
import { NotEvaluableError } from './errors.ts';
import { settledHere } from './function-cache.ts';
import type { Budget } from './function-cache.ts';
import type { Item } from './item.ts';
import { fieldFunction } from './terms/fields.ts';
import { groupKeys } from './terms/grouping.ts';
import type { GroupingValue } from './terms/grouping.ts';
import { Extreme, reductionOf } from './terms/reductions.ts';
import type { Kept, Merging } from './terms/reductions.ts';
import { itemFunction } from './terms/sequence-tools.ts';
import { datumOf, numberOf } from './value-reading.ts';
import { FunctionValue } from './value.ts';
import type { Value } from './value.ts';

/** The fold of a scan for a shard: states of its groups, or of all rows, until they are asked for. */

interface State {
  /** Undefined without groups. */
  readonly key: Datum | undefined;
  /** Undefined when nothing of the group counts. */
  accumulator: Merging | undefined;
  /** By which the state has its place among those of other shards: the row of the best item, or the last one. */
  row: Row;
  /** Of that row, among those of the batch. */
  place: number;
}

interface FoldParts {
  readonly valueOf: (given: EditValue) => Value;
  readonly context: Context;
  readonly budget: Budget;
}

/** The groups of an item, and what of it counts. */
interface Counted {
  readonly keys: readonly Datum[];
  readonly kept: Kept | undefined;
}

/** Groups of one row: with more, the query evaluates it. */
const keysMax = 1_000;
const noKeys: readonly Datum[] = [];

export class FoldRun {
  readonly #budget: Budget;
  readonly #type: FoldType;
  readonly #reduction: ReturnType<typeof reductionOf>;
  readonly #keysOf: GroupingValue['keysOf'] | undefined;
  #groups = new DatumMap<State>();
  #all: State | undefined;
  #place = 0;

  constructor({ type, by, group }: ScanFold, { valueOf, context, budget }: FoldParts) {
    this.#budget = budget;
    this.#type = type;
    this.#reduction = reductionOf(type, by === undefined ? undefined : valueOf(by), context);
    if (group === undefined) return;
    const functions = group.by
      .map(valueOf)
      .map((each) => (each instanceof FunctionValue ? itemFunction(each) : fieldFunction(each)));
    const arrayLimit = Math.min(context.arrayLimit, keysMax);
    this.#keysOf = groupKeys(functions, group.multi, { arrayLimit });
  }

  /** All items or none: what may fail comes first. */
  add(items: readonly Item[], row: Row): void {
    const counted = items.map((item) => this.#counted(item));
    for (const { keys } of counted) this.#budget.units -= 1 + keys.length;
    this.#place += 1;
    for (const { keys, kept } of counted) {
      if (this.#keysOf === undefined) this.#take((this.#all ??= this.#state(row)), kept, row);
      else for (const key of keys) this.#take(this.#groupOf(key, row), kept, row);
    }
  }

  /** Those since the last call, in the order of their rows. */
  states(): readonly FoldState[] {
    const all = this.#all === undefined ? [...this.#groups.values()] : [this.#all];
    [this.#all, this.#groups] = [undefined, new DatumMap()];
    const states = all.toSorted((a, b) => a.place - b.place);
    const last = states.at(-1);
    if (last === undefined) return [];
    const isPlaced = this.#type === 'min' || this.#type === 'max';
    return isPlaced
      ? states.map((state) => ({ row: state.row, text: this.#textOf([state]) }))
      : [{ row: last.row, text: this.#textOf(states) }];
  }

  #textOf(states: readonly State[]): string {
    const [first] = states;
    if (this.#keysOf === undefined)
      return canonicalText((first?.accumulator ?? this.#reduction.start()).state());
    const pairs = states.map(({ key = null, accumulator }): Datum =>
      accumulator === undefined ? [key] : [key, accumulator.state()],
    );
    return canonicalText(pairs);
  }

  #counted(item: Item): Counted {
    const keys = this.#keysOf === undefined ? noKeys : this.#keysOf(item);
    if (keys instanceof Promise) throw new NotEvaluableError('it has to wait');
    const made = this.#reduction.value(item);
    if (made === undefined) return { keys, kept: undefined };
    const value = settledHere(made as Value);
    const isNumber = this.#type === 'sum' || this.#type === 'avg';
    return { keys, kept: { item, value: isNumber ? numberOf(value) : datumOf(value) } };
  }

  #groupOf(key: Datum, row: Row): State {
    const found = this.#groups.get(key);
    if (found !== undefined) return found;
    const state = { ...this.#state(row), key };
    this.#groups.set(key, state);
    return state;
  }

  #state(row: Row): State {
    return { key: undefined, accumulator: undefined, row, place: this.#place };
  }

  #take(state: State, kept: Kept | undefined, row: Row): void {
    let isPlace = true;
    if (kept !== undefined) {
      state.accumulator ??= this.#reduction.start();
      const { accumulator } = state;
      if (accumulator instanceof Extreme)
        isPlace = accumulator.take(kept.item, datumOf(kept.value));
      else addedHere(accumulator.add(kept));
    }
    if (isPlace) [state.row, state.place] = [row, this.#place];
  }
}

/** What waits cannot be folded here. */
function addedHere(added: void | Promise<void>): void {
  if (!(added instanceof Promise)) return;
  added.catch(() => undefined);
  throw new NotEvaluableError('it has to wait');
}
