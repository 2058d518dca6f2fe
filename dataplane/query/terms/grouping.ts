import type { Datum, DatumArray } from '../../datum/datum.ts';
import type { ScanFold, ScanGroup } from '../../wire/pushed-scan.ts';
import type { EditValue } from '../../wire/table-edit.ts';
import { DatumMap } from '../../datum/datum-map.ts';
import { objectOf } from '../../datum/object.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import { after, eachOf, inSteps, mapOf, orAbsent, whenDone } from '../maybe-async.ts';
import { bool, define, option, text } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { dataOf } from '../term-function.ts';
import { Term } from '../term-table.ts';
import { logic, resourceLimit } from '../failure.ts';
import { datumOf, wrongValue } from '../value-reading.ts';
import { FunctionValue, GroupedValue, isSequence, OpaqueValue, TableValue } from '../value.ts';
import { datumOfItem } from '../item.ts';
import type { Group, Value } from '../value.ts';
import type { Item } from '../item.ts';
import { sortedBy } from '../work/merge-sort.ts';
import type { Order } from '../work/merge-sort.ts';
import { entryBytes, sizeOfItem } from '../work/size.ts';
import { keptBytes, keyTextIn } from './datum-sets.ts';
import { eachFolded } from './folded.ts';
import { indexScan } from './index-access.ts';
import { indexValueOf } from './index-values.ts';
import { fieldFunction } from './fields.ts';
import { collected, itemFunction, noSequence, settled } from './sequence-tools.ts';
import type { ItemFunction } from './sequence-tools.ts';
import { valueOrder } from './sort-key.ts';

/**
 * A sequence that was grouped and not read yet. Reductions read it once and keep one accumulator for
 * each group; every other term makes an array of each group first.
 */
export class GroupingValue extends OpaqueValue {
  override readonly typeName = 'GROUPED_STREAM';
  readonly source: Value;
  readonly keysOf: (item: Item) => readonly Datum[] | Promise<readonly Datum[]>;
  /** How shards find the groups; undefined when only the query can. */
  readonly asData: (() => ScanGroup | undefined) | undefined;
  constructor(source: Value, keysOf: GroupingValue['keysOf'], asData?: GroupingValue['asData']) {
    super();
    this.asData = asData;
    this.source = source;
    this.keysOf = keysOf;
  }
}

export const isGrouped = (value: Value): value is GroupedValue | GroupingValue =>
  value instanceof GroupedValue || value instanceof GroupingValue;

/** Of a group, without its key and what is collected in it. */
const groupBytes = 256;

interface GroupSteps<T> {
  readonly start: () => T;
  readonly add: (group: T, item: Item) => unknown;
  /** How shards make states of the groups, and how one is taken in. */
  readonly fold?: () => ScanFold | undefined;
  readonly merge?: (group: T, state: Datum) => unknown;
}

/** One `T` for each group, made when the group's first item comes; in the order of the keys. */
export async function byGroup<T>(
  grouping: GroupingValue,
  context: Context,
  steps: GroupSteps<T>,
): Promise<readonly { readonly key: Datum; readonly group: T }[]> {
  const { work } = context;
  const groups = new DatumMap<{ key: Datum; group: T }>();
  const entryOf = (key: Datum, text: string | undefined): { key: Datum; group: T } => {
    const found = groups.get(key, text);
    if (found !== undefined) return found;
    if (groups.size >= context.arrayLimit)
      throw resourceLimit(`Too many groups (> ${context.arrayLimit}).`);
    work?.memory.charge(groupBytes + keptBytes(key, text));
    const entry = { key, group: steps.start() };
    groups.set(key, entry, text);
    return entry;
  };
  const into = (key: Datum, use: (group: T) => unknown): unknown =>
    whenDone(keyTextIn(key, work), (text) => use(entryOf(key, text).group));
  await eachFolded(grouping.source, context, {
    fold: steps.fold,
    add: (item) =>
      whenDone<readonly Datum[], unknown>(grouping.keysOf(item), (keys) =>
        eachOf(keys, work, (key) => into(key, (group) => steps.add(group, item))),
      ),
    merge: (states) =>
      eachOf(states as readonly (readonly [Datum, Datum?])[], work, ([key, state]) =>
        into(key, (group) => (state === undefined ? undefined : steps.merge?.(group, state))),
      ),
  });
  const byKey: Order<{ readonly key: Datum }> = {
    compare: (a, b) => valueOrder.compare(a.key, b.key),
    units: ({ key }) => valueOrder.units(key),
  };
  return sortedBy([...groups.values()], byKey, work);
}

const groupedOverLimit = ({ arrayLimit }: Context): Error =>
  resourceLimit(
    `Grouped data over size limit \`${arrayLimit}\`.  Try putting a reduction (like \`.reduce\` or \`.count\`) on the end.`,
  );

/** The groups with an array for each that was not reduced. */
export async function groupsOf(
  value: GroupedValue | GroupingValue,
  context: Context,
): Promise<readonly Group[]> {
  if (value instanceof GroupedValue) return value.groups;
  let total = 0;
  const groups = await byGroup<Datum[]>(value, context, {
    start: () => [],
    add: (items, item) => {
      total += 1;
      if (total > context.arrayLimit) throw groupedOverLimit(context);
      context.work?.memory.charge(entryBytes + sizeOfItem(item));
      items.push(datumOfItem(item));
    },
  });
  return groups.map(({ key, group }) => ({ key, value: group }));
}

const groupOptions = {
  index: option(
    text,
    'The index of a table whose values group the documents, behind the functions.',
  ),
  multi: option(
    bool,
    'Whether an array puts a document into the group of each of its items.',
    false,
  ),
} as const;

/** Each group's value through `each`. */
export async function overGroups(
  value: GroupedValue | GroupingValue,
  context: Context,
  each: (value: Value) => Value | Promise<Value>,
): Promise<Value> {
  const results: Group[] = [];
  for (const group of await groupsOf(value, context))
    results.push({ key: group.key, value: await each(group.value) });
  return new GroupedValue(results);
}

function group({
  args: [target = null, ...by],
  options: { index, multi },
  context,
}: TermCall<OptionValues<typeof groupOptions>>): Value {
  if (isGrouped(target))
    throw logic('Cannot call `group` on the output of `group` (did you mean to `ungroup`?).');
  const functions: ItemFunction[] = by.map((each) =>
    each instanceof FunctionValue ? itemFunction(each) : fieldFunction(each),
  );
  let source = target;
  if (index !== undefined) {
    if (!(target instanceof TableValue)) throw wrongValue('TABLE', target);
    source = indexScan(target, index, {}, 'ascending');
    const valueOf = indexValueOf(target, index, context);
    functions.push((item) => valueOf(item) ?? null);
  }
  if (functions.length === 0) throw logic('Cannot group by nothing.');
  if (!isSequence(source)) throw noSequence(source);
  const asData = (): ScanGroup | undefined => {
    const keys = by.map((each) => dataOf(each, context));
    return keys.includes(undefined) ? undefined : { by: keys as EditValue[], multi };
  };
  return new GroupingValue(
    source,
    groupKeys(functions, multi, context),
    index === undefined ? asData : undefined,
  );
}

/** The groups of an item. */
export function groupKeys(
  functions: readonly ItemFunction[],
  multi: boolean,
  context: Pick<Context, 'arrayLimit' | 'work'>,
): GroupingValue['keysOf'] {
  const { work } = context;
  const keysOf = (parts: readonly Datum[]): readonly Datum[] | Promise<readonly Datum[]> =>
    multi ? combinations(parts, context) : [keyOfParts(parts)];
  return (item) =>
    whenDone(
      mapOf(functions, work, (of) => groupKey(of, item)),
      keysOf,
    );
}

const keyOfParts = (parts: readonly Datum[]): Datum =>
  parts.length === 1 ? (parts[0] as Datum) : parts;

/** With `multi` an array stands for each of its items, an empty one for null. */
function combinations(
  parts: readonly Datum[],
  { arrayLimit, work }: Pick<Context, 'arrayLimit' | 'work'>,
): readonly Datum[] | Promise<readonly Datum[]> {
  const choices = parts.map((part): DatumArray => {
    const items = Array.isArray(part) ? (part as Datum[]) : [part];
    return items.length === 0 ? [null] : items;
  });
  const count = choices.reduce((product, { length }) => product * length, 1);
  if (count > arrayLimit) throw resourceLimit(`Too many groups (> ${arrayLimit}).`);
  const keys: Datum[] = [];
  const making = inSteps(work, () => {
    work?.spend(1);
    keys.push(keyOfParts(combination(choices, keys.length)));
    return keys.length < count;
  });
  return after<readonly Datum[]>(making, () => keys);
}

/** The one at this position: the choices of the last part change first. */
function combination(choices: readonly DatumArray[], position: number): Datum[] {
  const key: Datum[] = [];
  let rest = position;
  for (const items of choices.toReversed()) {
    key.unshift(items[rest % items.length] as Datum);
    rest = Math.floor(rest / items.length);
  }
  return key;
}

/** What does not exist groups under null. */
function groupKey(of: ItemFunction, item: Item): Datum | Promise<Datum> {
  return orAbsent(() => whenDone(of(item), datumOf), null);
}

async function ungroup({ args: [target = null], context }: TermCall): Promise<Value> {
  if (!isGrouped(target)) throw wrongValue('GROUPED_DATA', target);
  const rows: Datum[] = [];
  for (const { key, value } of await groupsOf(target, context)) {
    const reduction = isSequence(value)
      ? await collected(value, context, (items) => items.map(datumOfItem))
      : await settled(value, context);
    rows.push(
      objectOf([
        ['group', key],
        ['reduction', reduction],
      ]),
    );
  }
  return rows;
}

const many = Number.POSITIVE_INFINITY;

export const groupTerms: readonly TermEntry[] = [
  [
    Term.GROUP,
    define({
      arity: [1, many],
      options: groupOptions,
      effects: true,
      grouped: true,
      run: group,
    }),
  ],
  [Term.UNGROUP, { arity: [1, 1], effects: true, grouped: true, run: ungroup }],
];
