import type { Abortable, BatchLimit } from '../wire/table-access.ts';
import type { Item } from './item.ts';
import type { Work } from './work/work.ts';

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
      const batch = items.slice(at, at + Math.min(limit.rows, pullLimit.rows));
      at += batch.length;
      return batch;
    },
    close: () => {
      at = items.length;
    },
  };
}

export type BatchStep = (batch: readonly Item[]) => readonly Item[] | Promise<readonly Item[]>;

/** Rows of a source that are read for the price of a unit. */
const rowsPerUnit = 4;

/** A source that is always ready must not keep the process from everything else. */
export function yielding(source: Stream, work: Work | undefined): Stream {
  return {
    async next(limit, signal) {
      if (work?.isDue === true) await work.pause();
      signal.throwIfAborted();
      const batch = await source.next(limit, signal);
      work?.spend(1 + (batch?.length ?? 0) / rowsPerUnit);
      return batch;
    },
    close: () => source.close(),
  };
}

/** What becomes of one item: it puts what there is of it behind the results. */
export type ItemStep = (item: Item, results: Item[]) => unknown;

/**
 * Each item through `step`, one after the other, until there are as many results as were asked for, in
 * rows or in bytes, or the slice is over. What then is left of a batch is kept.
 */
export function itemwise(source: Stream, step: ItemStep, work: Work | undefined): Stream {
  let waiting: readonly Item[] = [];
  let at = 0;
  return {
    async next(limit, signal) {
      const results: Item[] = [];
      const before = work?.memory.usedBytes ?? 0;
      for (;;) {
        if (results.length > 0 && isFull(results, limit, { work, before })) return results;
        if (work?.isDue === true) {
          await work.pause();
          if (results.length > 0) return results;
        }
        if (at >= waiting.length) {
          if (results.length > 0) return results;
          work?.memory.rewind(before);
          const batch = await source.next(limit, signal);
          if (batch === undefined) return undefined;
          waiting = batch;
          at = 0;
          continue;
        }
        work?.spend(1);
        const item = waiting[at] as Item;
        at += 1;
        const done = step(item, results);
        if (done instanceof Promise) await done;
      }
    },
    close: () => {
      waiting = [];
      source.close();
    },
  };
}

/** Whether the results are what was asked for; their bytes are what the query has charged for them. */
function isFull(
  results: readonly Item[],
  { rows, bytes }: BatchLimit,
  { work, before }: { readonly work: Work | undefined; readonly before: number },
): boolean {
  if (results.length >= rows) return true;
  return work !== undefined && work.memory.usedBytes - before >= bytes;
}

/** Each batch through `step`; an empty result pulls the next one. */
export function transformed(source: Stream, step: BatchStep, work?: Work): Stream {
  return {
    async next(limit, signal) {
      const before = work?.memory.usedBytes ?? 0;
      for (;;) {
        const batch = await source.next(limit, signal);
        if (batch === undefined) return undefined;
        const result = await step(batch);
        if (result.length > 0) return result;
        work?.memory.rewind(before);
        if (work?.isDue === true) await work.pause();
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
export function flatMapped(
  source: Stream,
  open: (item: Item) => Inner | Promise<Inner>,
  work: Work | undefined,
): Stream {
  let waiting: readonly Item[] = [];
  let at = 0;
  let inner: Stream | undefined;
  /** One step; false when what there is so far is all for now. */
  const fill = async (out: Item[], limit: BatchLimit, signal: AbortSignal): Promise<boolean> => {
    if (inner !== undefined) {
      const batch = await inner.next({ ...limit, rows: limit.rows - out.length }, signal);
      if (batch === undefined) inner = undefined;
      else for (const item of batch) out.push(item);
      return true;
    }
    if (at >= waiting.length) {
      if (out.length > 0) return false;
      const batch = await source.next(limit, signal);
      waiting = batch ?? [];
      at = 0;
      return batch !== undefined;
    }
    const opened = open(waiting[at] as Item);
    at += 1;
    const next = opened instanceof Promise ? await opened : opened;
    if ('next' in next) inner = next;
    else if (next.length > limit.rows - out.length) inner = streamOf(next);
    else for (const item of next) out.push(item);
    return true;
  };
  return {
    async next(limit, signal) {
      const out: Item[] = [];
      const before = work?.memory.usedBytes ?? 0;
      for (;;) {
        if (out.length > 0 && isFull(out, limit, { work, before })) return out;
        if (work?.isDue === true) {
          await work.pause();
          if (out.length > 0) return out;
        }
        if (out.length === 0) work?.memory.rewind(before);
        work?.spend(1);
        if (!(await fill(out, limit, signal))) return out.length > 0 ? out : undefined;
      }
    },
    close: () => {
      inner?.close();
      source.close();
    },
  };
}

/** Some items at a time through a step that waits once for all of them. */
export function inGroups(
  source: Stream,
  group: {
    readonly size: () => number;
    readonly step: (items: readonly Item[]) => Promise<readonly Item[]>;
  },
  work: Work | undefined,
): Stream {
  let waiting: readonly Item[] = [];
  let at = 0;
  return {
    async next(limit, signal) {
      const out: Item[] = [];
      const before = work?.memory.usedBytes ?? 0;
      for (;;) {
        if (out.length > 0 && isFull(out, limit, { work, before })) return out;
        if (work?.isDue === true) await work.pause();
        if (at >= waiting.length) {
          if (out.length > 0) return out;
          work?.memory.rewind(before);
          const batch = await source.next(limit, signal);
          if (batch === undefined) return undefined;
          waiting = batch;
          at = 0;
        }
        const items = waiting.slice(at, at + Math.min(group.size(), limit.rows - out.length));
        at += items.length;
        work?.spend(items.length);
        for (const item of await group.step(items)) out.push(item);
      }
    },
    close: () => {
      waiting = [];
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

/** All batches; what the stream needed to make one is given back when it has it. */
export async function* batchesOf(
  stream: Stream,
  { deadline, work }: { readonly deadline: Abortable; readonly work?: Work },
): AsyncGenerator<readonly Item[]> {
  const { signal } = deadline;
  try {
    for (;;) {
      if (work?.isDue === true) await work.pause();
      signal.throwIfAborted();
      const before = work?.memory.usedBytes ?? 0;
      const batch = await stream.next(pullLimit, signal);
      work?.memory.rewind(before);
      if (batch === undefined) return;
      yield batch;
    }
  } finally {
    stream.close();
  }
}
