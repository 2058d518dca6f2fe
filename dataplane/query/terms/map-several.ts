import type { Datum } from '../../datum/datum.ts';
import type { Context } from '../compiled.ts';
import { mapOf, whenDone } from '../maybe-async.ts';
import type { Stream } from '../stream.ts';
import { datumOf } from '../value-reading.ts';
import { StreamValue } from '../value.ts';
import { datumOfItem } from '../item.ts';
import type { FunctionValue, Value } from '../value.ts';
import type { Item } from '../item.ts';
import type { Work } from '../work/work.ts';
import { isInfinite, itemsNow, streamFrom } from './sequence-tools.ts';

/** `map` over several sequences at once: it ends with the shortest. */
export function mapSeveral(
  sequences: readonly Value[],
  by: FunctionValue,
  { work }: Pick<Context, 'work'>,
): Value | Promise<Value> {
  const arrays = sequences.map(itemsNow);
  if (arrays.every((items) => items !== undefined)) return zippedArrays(arrays, by, work);
  const streams = sequences.map(streamFrom);
  return new StreamValue(zipped(streams, by, work), undefined, sequences.every(isInfinite));
}

type Lanes = readonly (readonly Item[])[];

/** The function of the first items of all, of the second ones, up to the end of the shortest. */
function zippedArrays(
  arrays: Lanes,
  by: FunctionValue,
  work: Work | undefined,
): Datum[] | Promise<Datum[]> {
  const count = Math.min(...arrays.map((items) => items.length));
  const [first = []] = arrays;
  return mapOf(first.slice(0, count), work, (_, at) =>
    whenDone(by.call(arrays.map((items) => datumOfItem(items[at] as Item))), datumOf),
  );
}

function zipped(streams: readonly Stream[], by: FunctionValue, work: Work | undefined): Stream {
  const waiting: Item[][] = streams.map(() => []);
  const close = (): void => streams.forEach((stream) => stream.close());
  return {
    async next(limit, signal) {
      for (const [at, stream] of streams.entries()) {
        if ((waiting[at] as Item[]).length > 0) continue;
        const batch = await stream.next(limit, signal);
        if (batch === undefined) {
          close();
          return undefined;
        }
        waiting[at] = [...batch];
      }
      const count = Math.min(zippedMax, ...waiting.map((items) => items.length));
      const lanes = waiting.map((items) => items.splice(0, count));
      return zippedArrays(lanes, by, work);
    },
    close,
  };
}

/** Items that go through the function for one batch. */
const zippedMax = 100;
