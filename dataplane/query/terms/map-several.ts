import type { Datum } from '../../datum/datum.ts';
import type { Stream } from '../stream.ts';
import { datumOf, datumOfItem, StreamValue } from '../value.ts';
import type { FunctionValue, Item, Value } from '../value.ts';
import { after, eachOf, isInfinite, itemsNow, streamFrom, whenDone } from './sequence-tools.ts';

/** `map` over several sequences at once: it ends with the shortest. */
export function mapSeveral(sequences: readonly Value[], by: FunctionValue): Value | Promise<Value> {
  const arrays = sequences.map(itemsNow);
  if (arrays.every((items) => items !== undefined)) return zippedArrays(arrays, by);
  const streams = sequences.map(streamFrom);
  return new StreamValue(zipped(streams, by), undefined, sequences.every(isInfinite));
}

function zippedArrays(
  arrays: readonly (readonly Item[])[],
  by: FunctionValue,
): Value | Promise<Value> {
  const results: Datum[] = [];
  const count = Math.min(...arrays.map((items) => items.length));
  const positions = Array.from({ length: count }, (_, at) => at);
  const done = eachOf(positions, (at) =>
    whenDone(by.call(arrays.map((items) => datumOfItem(items[at] as Item))), (value) => {
      results.push(datumOf(value));
    }),
  );
  return after(done, () => results);
}

function zipped(streams: readonly Stream[], by: FunctionValue): Stream {
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
      const count = Math.min(...waiting.map((items) => items.length));
      const rows = waiting.map((items) => items.splice(0, count).map(datumOfItem));
      const results: Datum[] = [];
      for (let at = 0; at < count; at += 1)
        results.push(datumOf(await by.call(rows.map((row) => row[at] as Datum))));
      return results;
    },
    close,
  };
}
