import { after, inSteps } from '../maybe-async.ts';
import type { Work } from './work.ts';

/**
 * A stable sort that pauses: short runs are sorted by the machine, and merged some items at a time, so that
 * no step is long however many items there are.
 */
const runItems = 1_024;
const stepItems = 512;

export interface Order<T> {
  readonly compare: (a: T, b: T) => number;
  /** What comparing an item costs, in units. */
  readonly units: (item: T) => number;
}

export function sortedBy<T>(
  items: readonly T[],
  order: Order<T>,
  work: Work | undefined,
): T[] | Promise<T[]> {
  if (items.length <= runItems) {
    spendOn(items, order, work);
    return items.toSorted(order.compare);
  }
  const sort = new MergeSort(items, order, work);
  return after(
    inSteps(work, () => sort.step()),
    () => sort.result,
  );
}

/** A run is compared some times over. */
const runFactor = 4;

function spendOn<T>(items: readonly T[], { units }: Order<T>, work: Work | undefined): void {
  if (work === undefined) return;
  let all = 0;
  for (const item of items) all += units(item);
  work.spend(runFactor * all);
}

class MergeSort<T> {
  readonly #order: Order<T>;
  readonly #work: Work | undefined;
  #from: T[];
  #to: T[] = [];
  /** Of runs that are sorted. */
  #width = 0;
  /** Of the two runs that are merged now: their ends, and how far they are merged. */
  #left = 0;
  #right = 0;
  #leftEnd = 0;
  #rightEnd = 0;

  constructor(items: readonly T[], order: Order<T>, work: Work | undefined) {
    this.#from = [...items];
    this.#order = order;
    this.#work = work;
  }

  get result(): T[] {
    return this.#from;
  }

  /** False when everything is sorted. */
  step(): boolean {
    if (this.#width === 0) return this.#sortRun();
    if (this.#left === this.#leftEnd && this.#right === this.#rightEnd) return this.#nextRuns();
    this.#merge();
    return true;
  }

  #sortRun(): boolean {
    const run = this.#from.slice(this.#to.length, this.#to.length + runItems);
    spendOn(run, this.#order, this.#work);
    for (const item of run.sort(this.#order.compare)) this.#to.push(item);
    if (this.#to.length < this.#from.length) return true;
    return this.#widen(runItems);
  }

  /** Everything stands in runs of this width now. */
  #widen(width: number): boolean {
    this.#from = this.#to;
    this.#to = [];
    this.#width = width;
    this.#rightEnd = 0;
    return width < this.#from.length && this.#nextRuns();
  }

  #nextRuns(): boolean {
    const { length } = this.#from;
    if (this.#rightEnd >= length) return this.#widen(2 * this.#width);
    this.#left = this.#rightEnd;
    this.#leftEnd = Math.min(length, this.#left + this.#width);
    this.#right = this.#leftEnd;
    this.#rightEnd = Math.min(length, this.#right + this.#width);
    return true;
  }

  #merge(): void {
    const { compare, units } = this.#order;
    const from = this.#from;
    let spent = 0;
    for (let count = 0; count < stepItems; count += 1) {
      if (this.#left === this.#leftEnd && this.#right === this.#rightEnd) break;
      const takesLeft =
        this.#right === this.#rightEnd ||
        (this.#left < this.#leftEnd && compare(from[this.#left] as T, from[this.#right] as T) <= 0);
      const item = from[takesLeft ? this.#left++ : this.#right++] as T;
      spent += units(item);
      this.#to.push(item);
    }
    this.#work?.spend(spent);
  }
}
