import { resourceLimit } from '../failure.ts';

/**
 * What queries hold in memory, in bytes, estimated from the values. Functions leave behind what they
 * answer (`settle`), containers what they keep (`charge`); what a batch of a stream needed is given back
 * when the next one is read (`rewind`). So the account grows and shrinks like a stack, as evaluation does.
 */

const mebibyte = 1_048_576;

/** Bytes that a query takes from the budget of all queries at a time. */
const stepBytes = mebibyte;
/** A query holds so much without asking: most hold less. */
const freeBytes = 65_536;

/** All queries of one process. */
export class MemoryBudget {
  readonly queryBytesMax: number;
  readonly allBytesMax: number;
  #usedBytes = 0;

  constructor(limits: { readonly queryBytesMax: number; readonly allBytesMax: number }) {
    this.queryBytesMax = limits.queryBytesMax;
    this.allBytesMax = limits.allBytesMax;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** False when there is not so much left. */
  take(bytes: number): boolean {
    if (this.#usedBytes + bytes > this.allBytesMax) return false;
    this.#usedBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

const mib = (bytes: number): number => Math.floor(bytes / mebibyte);

/** One query, until it ends. */
export class QueryMemory {
  readonly #budget: MemoryBudget;
  #used = 0;
  /** Up to here nobody needs to be asked. */
  #granted = freeBytes;
  /** Of the budget. */
  #taken = 0;
  #isClosed = false;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  get usedBytes(): number {
    return this.#used;
  }

  /** Throws when the query, or all of them together, would hold too much. */
  charge(bytes: number): void {
    this.#used += bytes;
    if (this.#used > this.#granted) this.#grow();
  }

  /** Back to what `usedBytes` was. */
  rewind(bytes: number): void {
    this.#used = bytes;
    if (this.#taken > 0 && bytes < this.#granted - 4 * stepBytes) this.#shrink();
  }

  /** Everything since `before` is garbage, but for a value of so many bytes. */
  settle(before: number, bytes: number): void {
    this.#used = before;
    this.charge(bytes);
  }

  /** The query has ended. */
  close(): void {
    this.#isClosed = true;
    this.#budget.give(this.#taken);
    this.#taken = 0;
    this.#granted = freeBytes;
    this.#used = 0;
  }

  #grow(): void {
    const { queryBytesMax, allBytesMax } = this.#budget;
    // What still runs of it then has nobody to answer to.
    if (this.#isClosed) throw resourceLimit('Query has ended.');
    if (this.#used > queryBytesMax)
      throw resourceLimit(
        `Query over memory limit: it needs more than ${mib(queryBytesMax)} MiB (\`query-memory-mib\` of the node).  Read less at once, or reduce a stream in place of collecting it.`,
      );
    const missing = this.#used - this.#granted;
    const bytes = Math.ceil(missing / stepBytes) * stepBytes;
    if (!this.#budget.take(bytes))
      throw resourceLimit(
        `Query over memory limit: all queries of the node together need more than ${mib(allBytesMax)} MiB (\`queries-memory-mib\` of the node).  Try again later, or read less at once.`,
      );
    this.#taken += bytes;
    this.#granted += bytes;
  }

  #shrink(): void {
    const needed = Math.max(0, Math.ceil((this.#used - freeBytes) / stepBytes)) * stepBytes;
    if (needed >= this.#taken) return;
    this.#budget.give(this.#taken - needed);
    this.#taken = needed;
    this.#granted = freeBytes + needed;
  }
}
