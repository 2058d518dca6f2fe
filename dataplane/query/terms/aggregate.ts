import { binaryBytes } from '../../datum/compare.ts';
import { isObject, pseudoType } from '../../datum/object.ts';
import type { FoldType } from '../../wire/pushed-scan.ts';
import type { Accumulator, TermCall, TermDefinition, TermEntry } from '../compiled.ts';
import { logic, nonExistence } from '../failure.ts';
import type { Item } from '../item.ts';
import { after, whenDone } from '../maybe-async.ts';
import { define, option, text } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { planOf } from '../scan-plan.ts';
import { Term } from '../term-table.ts';
import { datumOf, objectOfValue, wrongValue } from '../value-reading.ts';
import { BoundArray, BoundObject, GroupedValue, isSequence, TableValue } from '../value.ts';
import type { Value } from '../value.ts';
import { countCharacters } from '../work/pieces.ts';
import { eachFolded } from './folded.ts';
import { byGroup, GroupingValue } from './grouping.ts';
import { indexScan } from './index-access.ts';
import { foldOf, reductionOf, wholeItem } from './reductions.ts';
import type { Kept, Reduction } from './reductions.ts';
import { RunningResult } from './running-result.ts';
import { checkArity, eachIn, expectFunction, selected, streamFrom } from './sequence-tools.ts';

/** Terms that make one value of a sequence. */
type Reducer = (call: TermCall<unknown>) => Reduction;

const reducerOf =
  (type: FoldType): Reducer =>
  ({ args: [, by], context }) => ({
    ...reductionOf(type, by, context),
    fold: foldOf(type, by, context),
  });

function step(reduction: Reduction, accumulator: Accumulator<Kept>) {
  return (item: Item): void | Promise<void> =>
    whenDone(reduction.value(item), (value) =>
      value === undefined ? undefined : accumulator.add({ item, value }),
    );
}

/** Each group of a sequence that is read once; a group of which nothing counts is not there. */
async function groupwise(
  reduction: Reduction,
  grouping: GroupingValue,
  call: TermCall<unknown>,
): Promise<Value> {
  const groups = await byGroup<{ accumulator?: Accumulator<Kept> }>(grouping, call.context, {
    start: () => ({}),
    fold: () => {
      const group = grouping.asData?.();
      return group && reduction.fold?.(group);
    },
    merge: (group, state) => {
      group.accumulator ??= reduction.start();
      group.accumulator.merge?.(state);
    },
    add: (group, item) =>
      whenDone(reduction.value(item), (value) => {
        if (value === undefined) return undefined;
        group.accumulator ??= reduction.start();
        return group.accumulator.add({ item, value });
      }),
  });
  return new GroupedValue(
    groups.flatMap(({ key, group: { accumulator } }) =>
      accumulator === undefined ? [] : [{ key, value: accumulator.end() }],
    ),
  );
}

type AggregateCall = TermCall<OptionValues<typeof extremeOptions>>;
type Shortcut = (call: AggregateCall) => Value | Promise<Value> | undefined;

const extremeOptions = {
  index: option(text, 'The index of a table whose first or last entry is wanted.'),
} as const;

/** Over a sequence, each group of a grouped one, or each value that groups have already. */
function reduction(reducer: Reducer, shortcut?: Shortcut) {
  const one = (call: AggregateCall): Value | Promise<Value> => {
    const quick = shortcut?.(call);
    if (quick !== undefined) return quick;
    const reduction = reducer(call);
    const accumulator = reduction.start();
    const done = eachFolded(call.args[0] ?? null, call.context, {
      add: step(reduction, accumulator),
      fold: () => reduction.fold?.(undefined),
      merge: (state) => accumulator.merge?.(state),
    });
    return after(done, () => accumulator.end());
  };
  return (call: AggregateCall): Value | Promise<Value> => {
    const [first = null, ...rest] = call.args;
    if (first instanceof GroupingValue) {
      // Groups are no tables, and have no index.
      if (call.options.index !== undefined) throw wrongValue('TABLE', first);
      return groupwise(reducer(call), first, call);
    }
    if (!(first instanceof GroupedValue)) return one(call);
    return (async () => {
      const groups = [];
      for (const { key, value } of first.groups)
        groups.push({ key, value: await one({ ...call, args: [value, ...rest] }) });
      return new GroupedValue(groups);
    })();
  };
}

const noIndex = { index: undefined };

function term(
  reducer: Reducer,
  arity: TermDefinition['arity'],
  shortcut?: Shortcut,
): TermDefinition {
  const run = reduction(reducer, shortcut);
  return { arity, grouped: true, run: (call) => run({ ...call, options: noIndex }) };
}

/** `min` and `max` of an index, or of a table without more, read one entry. */
const extremeOfIndex =
  (name: string, order: 'ascending' | 'descending'): Shortcut =>
  ({ args: [target = null, by], options: { index }, context }) => {
    if (index === undefined && (by !== undefined || !(target instanceof TableValue)))
      return undefined;
    if (by !== undefined) throw logic(`Cannot provide both a function and an index to ${name}.`);
    if (!(target instanceof TableValue)) throw wrongValue('TABLE', target);
    const found = indexScan(target, index ?? target.info.primaryKey, {}, order);
    return (async () => {
      const rows = streamFrom(found);
      const [item] = (await rows.next({ rows: 1, bytes: 1 }, context.deadline.signal)) ?? [];
      rows.close();
      if (item === undefined)
        throw nonExistence(`\`${name}\` found no entries in the specified index.`);
      return selected(item, target);
    })();
  };

const extremeTerm = (name: 'min' | 'max'): TermDefinition => {
  const order = name === 'min' ? 'ascending' : 'descending';
  return define({
    arity: [1, 2],
    options: extremeOptions,
    grouped: true,
    run: reduction(reducerOf(name), extremeOfIndex(name, order)),
  });
};

/** The size of a text, a binary or an object; a table knows its own. */
function quickCount({ args, context }: TermCall<unknown>): Value | Promise<Value> | undefined {
  const [target = null] = args;
  if (args.length > 1) return undefined;
  if (target instanceof TableValue) return target.access.count();
  if (isSequence(target)) {
    if (Array.isArray(target)) return target.length;
    // Shards may count.
    if (planOf(target) !== undefined) return undefined;
    return (async () => {
      let total = 0;
      await eachIn(target, context, () => void (total += 1));
      return total;
    })();
  }
  if (target instanceof BoundArray) return target.items.length;
  if (target instanceof BoundObject) return target.fields.size;
  const datum = datumOf(target);
  if (typeof datum === 'string') return countCharacters(datum, context.work);
  if (!isObject(datum)) return undefined;
  return pseudoType(datum) === 'BINARY'
    ? binaryBytes(datum).byteLength
    : Object.keys(objectOfValue(target)).length;
}

const reduce: Reducer = ({ args: [, by = null], context }) => {
  const combine = expectFunction(by);
  checkArity(combine, 2);
  return {
    value: wholeItem,
    start: () => {
      let result: RunningResult | undefined;
      return {
        add: ({ value }) => {
          if (result !== undefined) return result.combine(combine, datumOf(value));
          result = new RunningResult(datumOf(value), context);
          return undefined;
        },
        end: () => {
          if (result === undefined) throw nonExistence('Cannot reduce over an empty stream.');
          return result.value;
        },
      };
    },
  };
};

export const aggregateTerms: readonly TermEntry[] = [
  [Term.REDUCE, term(reduce, [2, 2])],
  [Term.COUNT, term(reducerOf('count'), [1, 2], quickCount)],
  [Term.SUM, term(reducerOf('sum'), [1, 2])],
  [Term.AVG, term(reducerOf('avg'), [1, 2])],
  [Term.MIN, extremeTerm('min')],
  [Term.MAX, extremeTerm('max')],
];
