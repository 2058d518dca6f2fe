import type { Datum } from '../../datum/datum.ts';
import { binaryText, compareDatum } from '../../datum/compare.ts';
import { finite } from '../../datum/input.ts';
import { isObject, pseudoType } from '../../datum/object.ts';
import type { Accumulator, TermCall, TermDefinition, TermEntry } from '../compiled.ts';
import { Term } from '../term-table.ts';
import { logic, nonExistence } from '../failure.ts';
import { after, orAbsent, whenDone } from '../maybe-async.ts';
import { define, option, text } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { datumOf, numberOf, objectOfValue, truth, wrongValue } from '../value-reading.ts';
import {
  BoundArray,
  BoundObject,
  FunctionValue,
  GroupedValue,
  isSequence,
  TableValue,
} from '../value.ts';
import { datumOfItem } from '../item.ts';
import type { Value } from '../value.ts';
import type { Item } from '../item.ts';
import { isEqualIn } from '../work/compare.ts';
import { countCharacters } from '../work/pieces.ts';
import { fieldFunction } from './fields.ts';
import { byGroup, GroupingValue } from './grouping.ts';
import { indexScan } from './index-access.ts';
import { predicateOf } from './predicate.ts';
import { RunningResult } from './running-result.ts';
import {
  checkArity,
  eachIn,
  expectFunction,
  itemFunction,
  selected,
  streamFrom,
} from './sequence-tools.ts';
import type { ItemFunction } from './sequence-tools.ts';

/**
 * Terms that make one value of a sequence. Each is an accumulator, so that a grouped sequence is read
 * once and holds one accumulator for each group in place of the group's documents.
 */
interface Reduction {
  /** What of an item counts; undefined skips it. */
  readonly value: (item: Item) => Value | undefined | Promise<Value | undefined>;
  readonly start: () => Accumulator<Kept>;
}

interface Kept {
  readonly item: Item;
  readonly value: Value;
}

type Reducer = (call: TermCall<unknown>) => Reduction;

/** Items whose function asks for something that is not there are skipped. */
function existing(of: ItemFunction): Reduction['value'] {
  return (item) => orAbsent(() => of(item), undefined);
}

const whole = (item: Item): Datum => datumOfItem(item);

/** A function, or the name of a field; the item itself without either. */
function mapping(by: Value | undefined): Reduction['value'] {
  if (by === undefined) return whole;
  return existing(by instanceof FunctionValue ? itemFunction(by) : fieldFunction(by));
}

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
    const done = eachIn(call.args[0] ?? null, call.context, step(reduction, accumulator));
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

const sum: Reducer = ({ args: [, by] }) => ({
  value: mapping(by),
  start: () => {
    let total = 0;
    return { add: ({ value }) => void (total += numberOf(value)), end: () => finite(total) };
  },
});

const emptyText = (name: string, verb: string): string =>
  `Cannot take the ${name} of an empty stream.  (If you passed \`${verb}\` a field name, it may be that no elements of the stream had that field.)`;

const average: Reducer = ({ args: [, by] }) => ({
  value: mapping(by),
  start: () => {
    let [total, number] = [0, 0];
    return {
      add: ({ value }) => {
        total += numberOf(value);
        number += 1;
      },
      end: () => {
        if (number === 0) throw nonExistence(emptyText('average', 'avg'));
        return finite(total) / number;
      },
    };
  },
});

const extreme =
  (name: string, sign: 1 | -1): Reducer =>
  ({ args: [, by] }) => ({
    value: mapping(by),
    start: () => {
      let best: { item: Item; value: Datum } | undefined;
      return {
        add: ({ item, value }) => {
          const datum = datumOf(value);
          if (best === undefined || sign * compareDatum(datum, best.value) > 0)
            best = { item, value: datum };
        },
        end: () => {
          if (best === undefined) throw nonExistence(emptyText(name, name));
          return datumOfItem(best.item);
        },
      };
    },
  });

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
  const [sign, order] =
    name === 'min' ? [-1 as const, 'ascending' as const] : [1 as const, 'descending' as const];
  return define({
    arity: [1, 2],
    options: extremeOptions,
    grouped: true,
    run: reduction(extreme(name, sign), extremeOfIndex(name, order)),
  });
};

const count: Reducer = ({ args: [, by], context: { work } }) => {
  const holds =
    by instanceof FunctionValue
      ? predicateOf(by)
      : by === undefined
        ? undefined
        : (item: Item) => isEqualIn(datumOfItem(item), datumOf(by), work);
  const matching = holds === undefined ? undefined : existing(holds);
  return {
    value: (item) =>
      matching === undefined
        ? true
        : whenDone(matching(item), (value) =>
            value !== undefined && truth(value) ? true : undefined,
          ),
    start: () => {
      let total = 0;
      return { add: () => void (total += 1), end: () => total };
    },
  };
};

/** The size of a text, a binary or an object; a table knows its own. */
function quickCount({ args, context }: TermCall<unknown>): Value | Promise<Value> | undefined {
  const [target = null] = args;
  if (args.length > 1) return undefined;
  if (target instanceof TableValue) return target.access.count();
  if (isSequence(target)) {
    if (Array.isArray(target)) return target.length;
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
    ? binaryText(datum).length
    : Object.keys(objectOfValue(target)).length;
}

const reduce: Reducer = ({ args: [, by = null], context }) => {
  const combine = expectFunction(by);
  checkArity(combine, 2);
  return {
    value: whole,
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
  [Term.COUNT, term(count, [1, 2], quickCount)],
  [Term.SUM, term(sum, [1, 2])],
  [Term.AVG, term(average, [1, 2])],
  [Term.MIN, extremeTerm('min')],
  [Term.MAX, extremeTerm('max')],
];
