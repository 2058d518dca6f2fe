import { compareBytes } from '../common/bytes.ts';
import type { EncodedRange, Order } from '../wire/table-access.ts';

export interface SortedViewOptions<S, T> {
  /** All sources that there are. */
  all(): Iterable<S>;
  /** What a source gives to the view. */
  itemsOf(source: S): readonly T[];
  readonly keyOf: (item: T) => Uint8Array;
  readonly isLive: (item: T) => boolean;
}

/** Sources since the last look; after more of them, the next look starts over. */
const addedMax = 8_192;
/** The short list is merged into the long one when it has so many items, and this share of its. */
const shortMin = 256;
const shortShare = 1 / 8;

/** A place in a sorted list, on the way through a range of it. */
class Cursor<T> {
  readonly #items: readonly T[];
  readonly #step: number;
  readonly #end: number;
  #at: number;

  /** From `first` up to `end`, or from before `end` down to `first`. */
  constructor(items: readonly T[], [first, end]: readonly [number, number], order: Order) {
    const isUp = order === 'ascending';
    this.#items = items;
    this.#step = isUp ? 1 : -1;
    this.#at = isUp ? first : end - 1;
    this.#end = isUp ? end : first - 1;
  }

  get item(): T | undefined {
    return this.#step * (this.#end - this.#at) > 0 ? this.#items[this.#at] : undefined;
  }

  advance(): void {
    this.#at += this.#step;
  }
}

/**
 * Items in the order of their keys, made of sources that come all the time and are looked at now and
 * then: a source costs a push, and is sorted in when somebody looks. Nothing is taken out: items that
 * are not live any more are passed over, and go when lists are merged. Without looks nothing is kept.
 */
export class SortedView<S, T extends object> {
  readonly #options: SortedViewOptions<S, T>;
  #isKept = false;
  #long: readonly T[] = [];
  #short: readonly T[] = [];
  #added: S[] = [];

  constructor(options: SortedViewOptions<S, T>) {
    this.#options = options;
  }

  add(source: S): void {
    if (!this.#isKept) return;
    this.#added.push(source);
    if (this.#added.length > addedMax) this.forget();
  }

  /** Live items of a range, in order. Nothing may be added before the walk has ended. */
  range(range: EncodedRange, order: Order): Iterable<T> {
    this.#settle();
    const cursors = [this.#long, this.#short].map(
      (items) => new Cursor(items, this.#within(items, range), order),
    );
    return this.#merged(cursors, order);
  }

  /** Keeps nothing until the next look. */
  forget(): void {
    this.#isKept = false;
    [this.#long, this.#short, this.#added] = [[], [], []];
  }

  #settle(): void {
    if (!this.#isKept) {
      this.#isKept = true;
      this.#long = this.#sorted(this.#options.all());
    } else if (this.#added.length > 0) {
      this.#short = this.#joined(this.#short, this.#sorted(this.#added));
      this.#added = [];
      if (this.#short.length < Math.max(shortMin, this.#long.length * shortShare)) return;
      this.#long = this.#joined(this.#long, this.#short);
      this.#short = [];
    }
  }

  #sorted(sources: Iterable<S>): T[] {
    const { keyOf } = this.#options;
    const items = Array.from(sources, (source) => this.#options.itemsOf(source)).flat();
    return items.sort((a, b) => compareBytes(keyOf(a), keyOf(b)));
  }

  #joined(one: readonly T[], other: readonly T[]): T[] {
    const cursors = [one, other].map((items) => new Cursor(items, [0, items.length], 'ascending'));
    return [...this.#merged(cursors, 'ascending')];
  }

  /** Live items of two lists in the order that their cursors have. */
  *#merged(cursors: readonly Cursor<T>[], order: Order): Generator<T> {
    const { keyOf, isLive } = this.#options;
    const sign = order === 'ascending' ? 1 : -1;
    for (;;) {
      let next: Cursor<T> | undefined;
      let item: T | undefined;
      for (const cursor of cursors) {
        const other = cursor.item;
        if (other === undefined) continue;
        if (item !== undefined && sign * compareBytes(keyOf(item), keyOf(other)) <= 0) continue;
        [next, item] = [cursor, other];
      }
      if (next === undefined || item === undefined) return;
      next.advance();
      if (isLive(item)) yield item;
    }
  }

  /** Where the items of a range begin and end in a sorted list. */
  #within(items: readonly T[], { start, end }: EncodedRange): [number, number] {
    const first = start === undefined ? 0 : this.#firstFrom(items, start);
    return [first, end === undefined ? items.length : Math.max(first, this.#firstFrom(items, end))];
  }

  #firstFrom(items: readonly T[], key: Uint8Array): number {
    let [low, high] = [0, items.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = items[middle];
      if (item !== undefined && compareBytes(this.#options.keyOf(item), key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
