import type { TermCall, TermEntry } from '../compiled.ts';
import { isMissing } from '../failure.ts';
import type { Item } from '../item.ts';
import { whenDone } from '../maybe-async.ts';
import { define, lazyOption } from '../options.ts';
import type { LazyValue, OptionValues } from '../options.ts';
import { isEmptyError } from '../special-forms.ts';
import { itemwise } from '../stream.ts';
import type { ItemStep } from '../stream.ts';
import { dataOf } from '../term-function.ts';
import { Term } from '../term-table.ts';
import { truth } from '../value-reading.ts';
import type { Value } from '../value.ts';
import { predicateOf } from './predicate.ts';
import { derived, itemsNow, resultsOf, sameForm, tableOf } from './sequence-tools.ts';

/** `filter`: the items for which a predicate holds. */

const filterOptions = {
  default: lazyOption(
    'What is said of an item that lacks a field that is asked for: kept when it is true, an error when it is `r.error()`.',
  ),
} as const;

/** What lacks a field is left out, unless `default` says otherwise. */
function forgiving(otherwise: LazyValue | undefined) {
  return (failure: unknown): boolean | Promise<boolean> => {
    if (!isMissing(failure)) throw failure;
    const again = (error: unknown): never => {
      throw isEmptyError(error) ? failure : error;
    };
    try {
      const value = otherwise === undefined ? false : otherwise();
      return value instanceof Promise ? value.then(truth).catch(again) : truth(value);
    } catch (error) {
      return again(error);
    }
  };
}

function filter({
  args: [target = null, predicate = null],
  options,
  context,
}: TermCall<OptionValues<typeof filterOptions>>): Value | Promise<Value> {
  const missing = forgiving(options.default);
  const test = predicateOf(predicate);
  const holds = (item: Item): boolean | Promise<boolean> => {
    try {
      const value = test(item);
      return value instanceof Promise ? value.then(truth).catch(missing) : truth(value);
    } catch (error) {
      return missing(error);
    }
  };
  const { work } = context;
  const step: ItemStep = (item, results) =>
    whenDone(holds(item), (kept) => {
      if (kept) results.push(item);
    });
  const now = itemsNow(target);
  if (now !== undefined)
    return whenDone(resultsOf(now, step, work), (items) => sameForm(target, items));
  return derived(target, {
    context,
    steps: (source) => itemwise(source, step, work),
    asData: () => {
      const by = dataOf(predicate, context);
      return by && { type: 'filter', by, skipsMissing: options.default === undefined };
    },
    table: tableOf(target),
  });
}

export const filterTerms: readonly TermEntry[] = [
  [Term.FILTER, define({ arity: [2, 2], options: filterOptions, run: filter })],
];
