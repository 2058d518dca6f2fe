import type { TermCall, TermEntry } from '../compiled.ts';
import { datumOfItem } from '../item.ts';
import type { Item } from '../item.ts';
import { whenDone } from '../maybe-async.ts';
import { define, functionKind, option } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { chained, flatMapped, streamOf } from '../stream.ts';
import type { Inner } from '../stream.ts';
import { Term } from '../term-table.ts';
import { arrayOf, datumOf } from '../value-reading.ts';
import { StreamValue } from '../value.ts';
import type { Value } from '../value.ts';
import { RunningResult } from './running-result.ts';
import {
  checkArity,
  eachIn,
  expectFunction,
  isInfinite,
  settled,
  streamFrom,
} from './sequence-tools.ts';

/** `fold`: one value of a sequence, or a stream of what it emits on the way. */

const foldOptions = {
  emit: option(
    functionKind,
    'A function of the old result, the item and the new result: the array that it gives goes into a stream.',
  ),
  final_emit: option(
    functionKind,
    'A function of the last result: what it gives comes at the end.',
  ),
} as const;

/** `fold` with `emit` makes a stream of what `emit` says at each item, without it the last value. */
async function fold({
  args: [target = null, base = null, by = null],
  options: { emit, final_emit: finalEmit },
  context,
}: TermCall<OptionValues<typeof foldOptions>>): Promise<Value> {
  const combine = expectFunction(by);
  checkArity(combine, 2);
  const { work } = context;
  const start = await settled(base, context);
  if (emit === undefined) {
    const running = new RunningResult(start, context);
    await eachIn(target, context, (item) => running.combine(combine, datumOfItem(item)));
    return finalEmit === undefined ? running.value : finalEmit.call([running.value]);
  }
  let result = start;
  const emitted = (item: Item): Inner | Promise<Inner> => {
    const row = datumOfItem(item);
    return whenDone(combine.call([result, row]), (value) => {
      const next = datumOf(value);
      return whenDone(emit.call([result, row, next]), (items) => {
        result = next;
        return arrayOf(items);
      });
    });
  };
  const body = flatMapped(streamFrom(target), emitted, work);
  if (finalEmit === undefined) return new StreamValue(body, undefined, isInfinite(target));
  const ended = (): Inner | Promise<Inner> => whenDone(finalEmit.call([result]), arrayOf);
  const last = flatMapped(streamOf([null]), ended, work);
  return new StreamValue(chained([body, last]), undefined, isInfinite(target));
}

export const foldTerms: readonly TermEntry[] = [
  [Term.FOLD, define({ arity: [3, 3], options: foldOptions, effects: true, run: fold })],
];
