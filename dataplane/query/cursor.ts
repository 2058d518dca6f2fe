import type { Batch, Cursor } from './engine.ts';
import type { BatchLimit } from '../wire/table-access.ts';
import { spoken } from './failure.ts';
import type { Stream } from './stream.ts';
import { textOfItem } from './value.ts';

/** Answers of a stream: one batch is read ahead, so that the last one says that it is the last. */
export class StreamCursor implements Cursor {
  readonly notes: readonly number[] = [];
  readonly #stream: Stream;
  readonly #nowMs: () => number;
  #ahead: string[] = [];
  #ended = false;

  constructor(stream: Stream, nowMs: () => number) {
    this.#stream = stream;
    this.#nowMs = nowMs;
  }

  async next(
    limits: {
      readonly maxRows: number;
      readonly maxBytes: number;
      readonly maxMilliseconds: number;
    },
    signal: AbortSignal,
  ): Promise<Batch> {
    const endMs = this.#nowMs() + limits.maxMilliseconds;
    const isLate = (): boolean => this.#ahead.length > 0 && this.#nowMs() >= endMs;
    let bytes = this.#ahead.reduce((sum, row) => sum + row.length, 0);
    while (!this.#ended && this.#ahead.length <= limits.maxRows && bytes <= limits.maxBytes) {
      const rows = Math.min(1_000, limits.maxRows + 1 - this.#ahead.length);
      const texts = await this.#pull({ rows, bytes: limits.maxBytes }, signal);
      if (texts === undefined) {
        this.#ended = true;
        break;
      }
      for (const text of texts) {
        bytes += text.length;
        this.#ahead.push(text);
      }
      if (isLate()) break;
    }
    const count = this.#fitting(limits);
    const rows = this.#ahead.splice(0, count);
    return { rows, done: this.#ended && this.#ahead.length === 0 };
  }

  async #pull(limit: BatchLimit, signal: AbortSignal): Promise<string[] | undefined> {
    try {
      return (await this.#stream.next(limit, signal))?.map(textOfItem);
    } catch (error) {
      throw spoken(error);
    }
  }

  close(): void {
    this.#ended = true;
    this.#ahead = [];
    this.#stream.close();
  }

  /** As many rows as the limits allow, and at least one. */
  #fitting({ maxRows, maxBytes }: { readonly maxRows: number; readonly maxBytes: number }): number {
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
