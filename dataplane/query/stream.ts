import type { Context } from './compiled.ts';
import type { BatchLimit } from '../wire/table-access.ts';
import type { Item } from './value.ts';

/** A sequence that is pulled batch by batch. After `undefined` nothing follows. */
export interface Stream {
  next(limit: BatchLimit, signal: AbortSignal): Promise<readonly Item[] | undefined>;
  close(): void;
}

/** What one pull asks of the source below, when nobody asked for less. */
const pullLimit: BatchLimit = { rows: 1_000, bytes: 1_048_576 };

export function streamOf(items: readonly Item[]): Stream {
  let at = 0;
  return {
    async next(limit) {
      if (at >= items.length) return undefined;
      const batch = items.slice(at, at + limit.rows);
      at += batch.length;
      return batch;
    },
    close: () => {
      at = items.length;
    },
  };
}

export type BatchStep = (batch: readonly Item[]) => readonly Item[] | Promise<readonly Item[]>;

/** A source that is always ready must not keep the process from everything else. */
export function yielding(source: Stream, pause: () => Promise<void>): Stream {
  let begun = false;
  return {
    async next(limit, signal) {
      if (begun) await pause();
      begun = true;
      signal.throwIfAborted();
      return source.next(limit, signal);
    },
    close: () => source.close(),
  };
}

/** Items of a stream as one handles them: fewer at a time when that takes long, with pauses between. */
export function paced(
  source: Stream,
  { turn, environment }: Pick<Context, 'turn' | 'environment'>,
): Stream {
  let waiting: readonly Item[] = [];
  let size = pacedItemsMin;
  return {
    async next(limit, signal) {
      if (turn?.isLong === true) {
        size = Math.max(1, size >> 2);
        await environment.pause();
        signal.throwIfAborted();
      } else size = Math.min(pullLimit.rows, size * 2);
      if (waiting.length === 0) {
        const batch = await source.next(limit, signal);
        if (batch === undefined) return undefined;
        waiting = batch;
      }
      const items = waiting.slice(0, size);
      waiting = waiting.slice(size);
      return items;
    },
    close: () => {
      waiting = [];
      source.close();
    },
  };
}

const pacedItemsMin = 8;

/** Each batch through `step`; an empty result pulls the next one. */
export function transformed(source: Stream, step: BatchStep): Stream {
  return {
    async next(limit, signal) {
      for (;;) {
        const batch = await source.next(limit, signal);
        if (batch === undefined) return undefined;
        const result = await step(batch);
        if (result.length > 0) return result;
      }
    },
    close: () => source.close(),
  };
}

/** What an item gives way to: items that are there, or more to be read. */
export type Inner = readonly Item[] | Stream;

/**
 * The items of what each item gives way to, one after the other. Neither what one of them gives, nor
 * what all of a batch give, is held at once.
 */
export function flatMapped(source: Stream, open: (item: Item) => Inner | Promise<Inner>): Stream {
  let waiting: readonly Item[] = [];
  let at = 0;
  let inner: Stream | undefined;
  const fill = async (out: Item[], limit: BatchLimit, signal: AbortSignal): Promise<boolean> => {
    if (inner !== undefined) {
      const batch = await inner.next({ ...limit, rows: limit.rows - out.length }, signal);
      if (batch === undefined) inner = undefined;
      else for (const item of batch) out.push(item);
      return true;
    }
    if (at >= waiting.length) return false;
    const opened = open(waiting[at] as Item);
    at += 1;
    const next = opened instanceof Promise ? await opened : opened;
    if ('next' in next) inner = next;
    else for (const item of next) out.push(item);
    return true;
  };
  return {
    async next(limit, signal) {
      const out: Item[] = [];
      for (;;) {
        while (out.length < limit.rows && (await fill(out, limit, signal)));
        if (out.length > 0) return out;
        const batch = await source.next(limit, signal);
        if (batch === undefined) return undefined;
        waiting = batch;
        at = 0;
      }
    },
    close: () => {
      inner?.close();
      source.close();
    },
  };
}

/** At most `count` items; the source is not asked for more. */
export function limited(source: Stream, count: number): Stream {
  let left = count;
  return {
    async next(limit, signal) {
      if (left <= 0) return undefined;
      const batch = await source.next({ ...limit, rows: Math.min(limit.rows, left) }, signal);
      if (batch === undefined) return undefined;
      const taken = batch.slice(0, left);
      left -= taken.length;
      if (left <= 0) source.close();
      return taken;
    },
    close: () => source.close(),
  };
}

export function skipped(source: Stream, count: number): Stream {
  let left = count;
  return transformed(source, (batch) => {
    const rest = batch.slice(left);
    left -= batch.length - rest.length;
    return rest;
  });
}

/** One stream after the other. */
export function chained(sources: readonly Stream[]): Stream {
  const queue = [...sources];
  return {
    async next(limit, signal) {
      for (let [source] = queue; source !== undefined; [source] = queue) {
        const batch = await source.next(limit, signal);
        if (batch !== undefined) return batch;
        queue.shift();
      }
      return undefined;
    },
    close: () => {
      for (const source of queue.splice(0)) source.close();
    },
  };
}

export async function* batchesOf(
  stream: Stream,
  signal: AbortSignal,
): AsyncGenerator<readonly Item[]> {
  try {
    for (;;) {
      signal.throwIfAborted();
      const batch = await stream.next(pullLimit, signal);
      if (batch === undefined) return;
      yield batch;
    }
  } finally {
    stream.close();
  }
}
