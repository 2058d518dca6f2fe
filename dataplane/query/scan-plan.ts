import { parseText } from '../datum/text.ts';
import type { PushedScan, ScanFold, ScanStep } from '../wire/pushed-scan.ts';
import type { BatchLimit } from '../wire/table-access.ts';
import type { Context } from './compiled.ts';
import { StoredRow } from './item.ts';
import type { Item } from './item.ts';
import { streamOf } from './stream.ts';
import type { Stream } from './stream.ts';
import { readyIndex, scanStream } from './terms/index-access.ts';
import type { ScanSource } from './terms/index-access.ts';
import { SliceValue, StreamValue, TableValue } from './value.ts';
import type { Value } from './value.ts';
import type { Work } from './work/work.ts';

/**
 * Sequences that are read from a table through steps which shards may evaluate. Guarded invariant: what a shard leaves
 * alone goes through the same steps here, so that nobody can tell who evaluated a row.
 */

/** The steps as the query evaluates them. It is applied to some rows at a time, and keeps nothing between them. */
export type Steps = (source: Stream) => Stream;

export type PlanContext = Pick<Context, 'nowMs' | 'arrayLimit' | 'work'>;

export class ScanPlan {
  readonly #source: ScanSource;
  readonly #data: readonly ScanStep[];
  readonly #steps: Steps;

  constructor(
    source: ScanSource,
    data: readonly ScanStep[] = [],
    steps: Steps = (stream) => stream,
  ) {
    this.#source = source;
    this.#data = data;
    this.#steps = steps;
  }

  /** Behind the steps so far. */
  with(step: ScanStep, steps: Steps): ScanPlan {
    return new ScanPlan(this.#source, [...this.#data, step], (rows) => steps(this.#steps(rows)));
  }

  /** Whatever the steps throw goes through `around`. */
  within(around: Steps): ScanPlan {
    return new ScanPlan(this.#source, this.#data, (rows) => around(this.#steps(rows)));
  }

  /** Rows that the query evaluates. */
  evaluated(rows: readonly Item[]): Stream {
    return this.#steps(streamOf(rows));
  }

  /** What the shards answer: stored rows, which have what was made of them. */
  parts(fold: ScanFold | undefined, { nowMs, arrayLimit }: PlanContext): Stream {
    const pushed: PushedScan = { steps: this.#data, fold, context: { nowMs, arrayLimit } };
    const isPlain = fold === undefined && this.#data.length === 0;
    let parts: Stream | undefined;
    return {
      next: async (limit, signal) => {
        try {
          parts ??= scanStream(this.#source, isPlain ? undefined : pushed);
          return await parts.next(limit, signal);
        } catch (error) {
          return this.#failed(error, limit, signal);
        }
      },
      close: () => parts?.close(),
    };
  }

  /** The table could not be read: an error of the term that reads it. */
  #failed(error: unknown, limit: BatchLimit, signal: AbortSignal): ReturnType<Stream['next']> {
    const unread: Stream = {
      async next() {
        throw error;
      },
      close: () => undefined,
    };
    return this.#steps(unread).next(limit, signal);
  }

  stream(context: PlanContext): Stream {
    return new PlannedStream(this, this.parts(undefined, context), context.work);
  }
}

class PlannedStream implements Stream {
  readonly #plan: ScanPlan;
  readonly #source: Stream;
  readonly #work: Work | undefined;
  #parts: readonly Item[] = [];
  #at = 0;
  /** Of rows that the query evaluates. */
  #inner: Stream | undefined;

  constructor(plan: ScanPlan, source: Stream, work: Work | undefined) {
    this.#plan = plan;
    this.#source = source;
    this.#work = work;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly Item[] | undefined> {
    for (;;) {
      const batch = await this.#inner?.next(limit, signal);
      if (batch !== undefined) return batch;
      this.#inner = undefined;
      if (this.#at >= this.#parts.length) {
        const parts = await this.#source.next(limit, signal);
        if (parts === undefined) return undefined;
        [this.#parts, this.#at] = [parts, 0];
      }
      const items = this.#made();
      // More of them than were asked for come of one row.
      if (items.length > limit.rows) this.#inner = streamOf(items);
      else if (items.length > 0) return items;
      else {
        const rows = leftRows(this.#parts, this.#at);
        this.#at += rows.length;
        if (rows.length > 0) this.#inner = this.#plan.evaluated(rows);
      }
    }
  }

  close(): void {
    this.#inner?.close();
    this.#source.close();
  }

  /** What shards have made of the next parts. */
  #made(): readonly Item[] {
    const items: Item[] = [];
    for (; this.#at < this.#parts.length; this.#at += 1) {
      const part = this.#parts[this.#at];
      if (!(part instanceof StoredRow) || part.made === undefined) break;
      if (part.made === 'kept') items.push(part);
      else for (const text of part.made) items.push(this.#valueOf(text));
    }
    return items;
  }

  /** An object is parsed when somebody looks inside. */
  #valueOf(text: string): Item {
    this.#work?.memory.charge(text.length);
    return text.startsWith('{') ? new StoredRow({ key: noKey, text }) : parseText(text);
  }
}

const noKey = new Uint8Array();

/** The rows from a position on that nobody has evaluated. */
export function leftRows(parts: readonly Item[], from: number): readonly Item[] {
  let to = from;
  for (; to < parts.length; to += 1) {
    const part = parts[to];
    if (part instanceof StoredRow && part.made !== undefined) break;
  }
  return from === 0 && to === parts.length ? parts : parts.slice(from, to);
}

const plans = new WeakMap<StreamValue, ScanPlan>();

/** A sequence that is read as planned, by whoever reads it. */
export function planned(
  plan: ScanPlan,
  table: TableValue | undefined,
  context: PlanContext,
): StreamValue {
  const value = new StreamValue(plan.stream(context), table);
  plans.set(value, plan);
  return value;
}

/** Undefined if it is not a scan of a table, or has steps that only the query can evaluate. */
export function planOf(value: Value): ScanPlan | undefined {
  if (value instanceof StreamValue) return plans.get(value);
  if (value instanceof TableValue) {
    const index = value.info.primaryKey;
    return new ScanPlan({ table: value, index, range: {}, order: 'ascending' });
  }
  if (!(value instanceof SliceValue) || value.range === undefined) return undefined;
  const { table, index, range, order = 'ascending' } = value;
  if (index !== table.info.primaryKey) readyIndex(table, index);
  return new ScanPlan({ table, index, range, order });
}
