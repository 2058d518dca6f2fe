import type { Datum, DatumArray } from '../../datum/datum.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { logic } from '../failure.ts';
import { after, eachOf, inSteps, whenDone } from '../maybe-async.ts';
import { anything, define, listOption } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { chained } from '../stream.ts';
import type { Stream } from '../stream.ts';
import { Term } from '../term-table.ts';
import { ListValue, StreamValue } from '../value.ts';
import { datumOfItem } from '../item.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';
import type { Work } from '../work/work.ts';
import { concatenated, isInfinite, itemsNow, streamFrom } from './sequence-tools.ts';
import { compareRows, sortKey, sortRows } from './sort-key.ts';
import type { SortKey, SortRow } from './sort-key.ts';

/** `union`: one sequence after the other, in turn, or merged by an order that each of them has. */
const unionOptions = {
  interleave: listOption(
    anything('`true`, `false`, a field, a function, an ordering, or an array of those'),
    'Whether the sequences may mix (`true`), follow one another (`false`), or are merged by an order that each of them has.',
  ),
} as const;

function union({
  args,
  options: { interleave },
  context,
}: TermCall<OptionValues<typeof unionOptions>>): Value | Promise<Value> {
  if (interleave !== undefined && typeof interleave !== 'boolean') {
    const keys = (interleave instanceof ListValue ? interleave.items : [interleave]).map(sortKey);
    return mergedUnion(args, keys, context.work);
  }
  if (args.every((arg) => Array.isArray(arg)))
    return concatenated(args as readonly DatumArray[], context);
  const streams = args.map(streamFrom);
  const infinite = args.some(isInfinite);
  // Behind a sequence without an end nothing would ever come.
  const all = infinite && interleave !== false ? inTurn(streams) : chained(streams);
  return new StreamValue(all, undefined, infinite);
}

/** A batch of each in turn. */
function inTurn(sources: readonly Stream[]): Stream {
  const queue = [...sources];
  return {
    async next(limit, signal) {
      for (let source = queue.shift(); source !== undefined; source = queue.shift()) {
        const batch = await source.next(limit, signal);
        if (batch === undefined) continue;
        queue.push(source);
        return batch;
      }
      return undefined;
    },
    close: () => {
      for (const source of queue.splice(0)) source.close();
    },
  };
}

/** The rows of one source that wait for their turn. */
interface Lane {
  rows: readonly SortRow[];
  at: number;
  last: SortRow | undefined;
  ended: boolean;
}

const newLane = (): Lane => ({ rows: [], at: 0, last: undefined, ended: false });

/** Refuses rows that are not in the order that the query says. */
function refill(lane: Lane, rows: readonly SortRow[], keys: readonly SortKey[]): void {
  for (const row of rows) {
    if (lane.last !== undefined && compareRows(lane.last, row, keys) > 0)
      throw logic('The streams given as arguments are not ordered by given ordering.');
    lane.last = row;
  }
  lane.rows = rows;
  lane.at = 0;
}

/** Takes the smallest row; of equal ones that of the first source. */
function takeSmallest(lanes: readonly Lane[], keys: readonly SortKey[]): Item | undefined {
  let best: { readonly lane: Lane; readonly row: SortRow } | undefined;
  for (const lane of lanes) {
    const row = lane.rows[lane.at];
    if (row === undefined) continue;
    if (best === undefined || compareRows(row, best.row, keys) < 0) best = { lane, row };
  }
  if (best === undefined) return undefined;
  best.lane.at += 1;
  return best.row.item;
}

function mergedUnion(
  args: readonly Value[],
  keys: readonly SortKey[],
  work: Work | undefined,
): Value | Promise<Value> {
  const arrays = args.map((arg) => (Array.isArray(arg) ? itemsNow(arg) : undefined));
  if (!arrays.every((items) => items !== undefined)) {
    const stream = mergedStream(args.map(streamFrom), keys, work);
    return new StreamValue(stream, undefined, args.some(isInfinite));
  }
  const lanes = arrays.map(newLane);
  const all = (): Value | Promise<Value> => {
    const results: Datum[] = [];
    const merging = inSteps(work, () => {
      work?.spend(lanes.length);
      const item = takeSmallest(lanes, keys);
      if (item !== undefined) results.push(datumOfItem(item));
      return item !== undefined;
    });
    return after<Value>(merging, () => results);
  };
  const filled = eachOf([...arrays.entries()], work, ([at, items]) =>
    whenDone(sortRows(items, keys, work), (rows) => refill(lanes[at] as Lane, rows, keys)),
  );
  return after(filled, all);
}

function mergedStream(
  sources: readonly Stream[],
  keys: readonly SortKey[],
  work: Work | undefined,
): Stream {
  const lanes = sources.map(newLane);
  const isOpen = (lane: Lane): boolean => !lane.ended && lane.at >= lane.rows.length;
  return {
    async next(limit, signal) {
      const out: Item[] = [];
      while (out.length < limit.rows) {
        for (const [at, lane] of lanes.entries()) {
          while (isOpen(lane)) {
            const batch = await (sources[at] as Stream).next(limit, signal);
            if (batch === undefined) lane.ended = true;
            else refill(lane, await sortRows(batch, keys, work), keys);
          }
        }
        work?.spend(lanes.length);
        if (work?.isDue === true) await work.pause();
        const item = takeSmallest(lanes, keys);
        if (item === undefined) break;
        out.push(item);
      }
      return out.length === 0 ? undefined : out;
    },
    close: () => sources.forEach((source) => source.close()),
  };
}

export const unionTerms: readonly TermEntry[] = [
  [
    Term.UNION,
    define({
      arity: [0, Number.POSITIVE_INFINITY],
      options: unionOptions,
      noSpread: 'r.args is not supported in an order_by or union command yet.',
      run: union,
    }),
  ],
];
