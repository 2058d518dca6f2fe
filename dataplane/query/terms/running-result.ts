import type { Datum } from '../../datum/datum.ts';
import type { Context } from '../compiled.ts';
import { whenDone } from '../maybe-async.ts';
import { datumOf } from '../value-reading.ts';
import { OpaqueValue } from '../value.ts';
import type { FunctionValue, Value } from '../value.ts';
import { entryBytes, quickSizeOf, sizeOf } from '../work/size.ts';

/**
 * The result of `fold` and `reduce` so far. Each result takes the place of the one before, in memory too.
 * A function that appends to the result makes an array that nobody else has: the next item goes into that
 * same array, since a copy for each item would make the whole quadratic.
 */
export class RunningResult {
  readonly #context: Pick<Context, 'arrayLimit' | 'work'>;
  #value: Datum;
  /** An array that this class alone has. */
  #own: Datum[] | undefined;
  #bytes = 0;

  constructor(value: Datum, context: Pick<Context, 'arrayLimit' | 'work'>) {
    this.#value = value;
    this.#context = context;
  }

  get value(): Datum {
    return this.#value;
  }

  combine(by: FunctionValue, item: Datum): void | Promise<void> {
    const own = this.#own;
    // One item too many is refused by the term itself, at its place.
    if (by.appended === undefined || own === undefined || own.length >= this.#context.arrayLimit)
      return this.#call(by, item);
    const before = this.#usedBytes;
    return whenDone(by.appended([own, item]), (more) => {
      if (more instanceof OpaqueValue) return this.#call(by, item);
      own.push(more);
      return this.#keep(before, this.#bytes + entryBytes + sizeOf(more));
    });
  }

  #call(by: FunctionValue, item: Datum): void | Promise<void> {
    const before = this.#usedBytes;
    return whenDone(by.call([this.#value, item]), (found: Value) => {
      const value = datumOf(found);
      this.#value = value;
      this.#own =
        by.appended !== undefined && Array.isArray(value) ? (value as Datum[]) : undefined;
      this.#keep(before, quickSizeOf(value) ?? this.#sizeAfter(value, before));
    });
  }

  /** Of a large result: what it was, and what was made for it. */
  #sizeAfter(value: Datum, before: number): number {
    const copied = Array.isArray(value) ? entryBytes * value.length : 0;
    return this.#bytes + Math.max(0, this.#usedBytes - before - copied) + entryBytes;
  }

  get #usedBytes(): number {
    return this.#context.work?.memory.usedBytes ?? 0;
  }

  #keep(before: number, bytes: number): void {
    this.#context.work?.memory.settle(before, bytes - this.#bytes);
    this.#bytes = bytes;
  }
}
