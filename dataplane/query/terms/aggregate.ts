import type { Datum } from '../../datum/datum.ts';
import { binaryText, compareDatum, equalDatum } from '../../datum/compare.ts';
import { isObject, pseudoType } from '../../datum/object.ts';
import type { Accumulator, TermCall, TermDefinition, TermEntry } from '../compiled.ts';
import { nonExistence } from '../failure.ts';
import {
  datumOf,
  datumOfItem,
  FunctionValue,
  GroupedValue,
  isSequence,
  numberOf,
  objectOfValue,
  TableValue,
  textOf,
  truth,
} from '../value.ts';
import type { Item, Value } from '../value.ts';
import { fieldFunction } from './fields.ts';
import { byGroup, GroupingValue } from './grouping.ts';
import { indexScan } from './index-access.ts';
import { predicateOf } from './predicate.ts';
import {
  after,
  checkArity,
  eachIn,
  expectFunction,
  itemFunction,
  orAbsent,
  streamFrom,
  tableOf,
  whenDone,
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

type Reducer = (call: TermCall) => Reduction;

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
  call: TermCall,
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

/** Over a sequence, each group of a grouped one, or each value that groups have already. */
function term(
  reducer: Reducer,
  shape: Pick<TermDefinition, 'arity' | 'options'>,
  shortcut?: (call: TermCall) => Value | Promise<Value> | undefined,
): TermDefinition {
  const one = (call: TermCall): Value | Promise<Value> => {
    const quick = shortcut?.(call);
    if (quick !== undefined) return quick;
    const reduction = reducer(call);
    const accumulator = reduction.start();
    const done = eachIn(call.args[0] ?? null, call.context, step(reduction, accumulator));
    return after(done, () => accumulator.end());
  };
  const run = (call: TermCall): Value | Promise<Value> => {
    const [first = null, ...rest] = call.args;
    if (first instanceof GroupingValue) return groupwise(reducer(call), first, call);
    if (!(first instanceof GroupedValue)) return one(call);
    return (async () => {
      const groups = [];
      for (const { key, value } of first.groups)
        groups.push({ key, value: await one({ ...call, args: [value, ...rest] }) });
      return new GroupedValue(groups);
    })();
  };
  return { ...shape, grouped: true, run };
}

const sum: Reducer = ({ args: [, by] }) => ({
  value: mapping(by),
  start: () => {
    let total = 0;
    return { add: ({ value }) => void (total += numberOf(value)), end: () => total };
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
        return total / number;
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

/** `min` and `max` of an index read one entry. */
const extremeOfIndex =
  (order: 'ascending' | 'descending') =>
  ({ args: [target = null], options, context }: TermCall): Promise<Value> | undefined => {
    const index = options.get('index');
    const table = tableOf(target);
    if (index === undefined || table === undefined) return undefined;
    return (async () => {
      const rows = streamFrom(indexScan(table, textOf(index), {}, order));
      const [item] = (await rows.next({ rows: 1, bytes: 1 }, context.signal)) ?? [];
      rows.close();
      const name = order === 'ascending' ? 'min' : 'max';
      if (item === undefined) throw nonExistence(emptyText(name, name));
      return datumOfItem(item);
    })();
  };

const count: Reducer = ({ args: [, by] }) => {
  const holds =
    by instanceof FunctionValue
      ? predicateOf(by)
      : by === undefined
        ? undefined
        : (item: Item): Value => equalDatum(datumOfItem(item), datumOf(by));
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
function quickCount({ args, context }: TermCall): Value | Promise<Value> | undefined {
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
  const datum = datumOf(target);
  if (typeof datum === 'string') return Array.from(datum).length;
  if (!isObject(datum)) return undefined;
  return pseudoType(datum) === 'BINARY'
    ? binaryText(datum).length
    : Object.keys(objectOfValue(target)).length;
}

const reduce: Reducer = ({ args: [, by = null] }) => {
  const combine = expectFunction(by);
  checkArity(combine, 2);
  return {
    value: whole,
    start: () => {
      let result: Value | undefined;
      return {
        add: ({ value }) => {
          if (result === undefined) {
            result = value;
            return undefined;
          }
          return whenDone(combine.call([result, value]), (next) => {
            result = datumOf(next);
          });
        },
        end: () => {
          if (result === undefined) throw nonExistence('Cannot reduce over an empty stream.');
          return result;
        },
      };
    },
  };
};

export const aggregateTerms: readonly TermEntry[] = [
  [37, term(reduce, { arity: [2, 2] })],
  [43, term(count, { arity: [1, 2] }, quickCount)],
  [145, term(sum, { arity: [1, 2] })],
  [146, term(average, { arity: [1, 2] })],
  [
    147,
    term(extreme('min', -1), { arity: [1, 2], options: ['index'] }, extremeOfIndex('ascending')),
  ],
  [
    148,
    term(extreme('max', 1), { arity: [1, 2], options: ['index'] }, extremeOfIndex('descending')),
  ],
];
