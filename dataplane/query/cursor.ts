import type { Context } from './compiled.ts';
import type { Batch, BatchLimits, Cursor } from './engine.ts';
import { spoken } from './failure.ts';
import type { Stream } from './stream.ts';
import type { Item } from './item.ts';
import { itemTextIn } from './work/answer-text.ts';
import { Endless } from './work/deadline.ts';
import type { Deadline } from './work/deadline.ts';

/** Answers of a stream: one row is read ahead, so that the last batch says that it is the last. */
export class StreamCursor implements Cursor {
  readonly notes: readonly number[] = [];
  readonly #stream: Stream;
  readonly #context: Context;
  readonly #deadline: Deadline;
  /** What the query holds beside the rows that are read ahead. */
  readonly #restBytes: number;
  /** Items of the stream without a text. */
  #items: readonly Item[] = [];
  #at = 0;
  #ahead: string[] = [];
  #aheadBytes = 0;
  #ended = false;

  constructor(stream: Stream, context: Context, deadline?: Deadline) {
    this.#deadline = deadline ?? new Endless(context.deadline);
    this.#stream = stream;
    this.#context = context;
    this.#restBytes = context.work?.memory.usedBytes ?? 0;
  }

  async next(limits: BatchLimits, signal: AbortSignal): Promise<Batch> {
    try {
      await this.#deadline.run(() => this.#fill(limits, signal));
    } catch (error) {
      throw spoken(error);
    }
    const rows = this.#ahead.splice(0, this.#fitting(limits));
    for (const row of rows) this.#aheadBytes -= row.length;
    const done = this.#hasEnded;
    if (done) this.#context.work?.memory.close();
    else this.#hold();
    return { rows, done };
  }

  /** Up to one row more than the batch may have. */
  async #fill(limits: BatchLimits, signal: AbortSignal): Promise<void> {
    const { work, environment } = this.#context;
    const endMs = environment.now() + limits.maxMilliseconds;
    while (!this.#ended && this.#ahead.length <= limits.maxRows) {
      if (this.#aheadBytes > limits.maxBytes) return;
      if (work?.isDue === true) await work.pause();
      if (this.#at < this.#items.length) {
        const text = itemTextIn(this.#items[this.#at] as Item, work);
        this.#add(text instanceof Promise ? await text : text);
        continue;
      }
      if (this.#ahead.length > 0 && environment.now() >= endMs) return;
      this.#hold();
      const rows = Math.min(rowsMax, limits.maxRows + 1 - this.#ahead.length);
      const items = await this.#stream.next({ rows, bytes: limits.maxBytes }, signal);
      this.#ended = items === undefined;
      this.#items = items ?? [];
      this.#at = 0;
    }
  }

  #add(text: string): void {
    this.#at += 1;
    this.#ahead.push(text);
    this.#aheadBytes += text.length;
    this.#context.work?.memory.charge(text.length);
  }

  get #hasEnded(): boolean {
    return this.#ended && this.#ahead.length === 0;
  }

  /** Of what the rows needed, they themselves are left. */
  #hold(): void {
    this.#context.work?.memory.settle(this.#restBytes, this.#aheadBytes);
  }

  close(): void {
    this.#ended = true;
    this.#ahead = [];
    this.#items = [];
    this.#stream.close();
    this.#context.work?.memory.close();
  }

  /** As many rows as the limits allow, and at least one. */
  #fitting({ maxRows, maxBytes }: BatchLimits): number {
    let bytes = 0;
    let count = 0;
    for (const row of this.#ahead) {
      bytes += row.length;
      if (count > 0 && (count >= maxRows || bytes > maxBytes)) break;
      count += 1;
    }
    return count;
  }
}

/** Rows that are asked of the stream at a time. */
const rowsMax = 1_000;
