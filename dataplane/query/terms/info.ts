import { binaryBytes } from '../../datum/compare.ts';
import type { Datum } from '../../datum/datum.ts';
import { objectOf } from '../../datum/object.ts';
import { prettyText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import { Term } from '../term-table.ts';
import { termText } from '../term-text.ts';
import { datumOf } from '../value-reading.ts';
import {
  BoundValue,
  DatabaseValue,
  FunctionValue,
  RowValue,
  SliceValue,
  OpaqueValue,
  TableValue,
} from '../value.ts';
import type { Value } from '../value.ts';
import { isBinary } from './binary.ts';
import { tableOf } from './sequence-tools.ts';

/** `info`: what a value is, and what it comes from. */
async function info({ args: [value = null], context }: TermCall): Promise<Value> {
  if (!(value instanceof OpaqueValue)) return datumInfo(value);
  if (value instanceof DatabaseValue) return { ...value.info, type: 'DB' };
  if (value instanceof TableValue) return tableInfo(value, context);
  if (value instanceof SliceValue)
    return { ...sliceInfo(value), table: await tableInfo(value.table, context) };
  if (value instanceof FunctionValue)
    return { source_code: termText(value.term), type: value.typeName };
  const table = value instanceof RowValue ? value.table : tableOf(value);
  return table === undefined
    ? { type: value.typeName }
    : { table: await tableInfo(table, context), type: value.typeName };
}

function datumInfo(datum: Datum): Datum {
  const type = typeName(datum);
  if (datum === null) return { type };
  if (isBinary(datum)) return { count: binaryBytes(datum).byteLength, type };
  return { type, value: prettyText(datum) };
}

async function tableInfo(value: TableValue, context: Context): Promise<Datum> {
  // The value may be older than the last index.
  const now = context.environment.catalog.tableById(value.info.id) ?? value.info;
  return {
    db: { id: now.database.id, name: now.database.name, type: 'DB' },
    doc_count_estimates: [await value.access.count()],
    id: now.id,
    indexes: now.indexes.map((index) => index.name).sort(),
    name: now.name,
    primary_key: now.primaryKey,
    type: 'TABLE',
  };
}

function sliceInfo({ index, order, bounds }: SliceValue): Record<string, Datum> {
  return {
    index,
    ...boundInfo('left', bounds?.left ?? new BoundValue('minval'), bounds?.sides.left_bound),
    ...boundInfo('right', bounds?.right ?? new BoundValue('maxval'), bounds?.sides.right_bound),
    sorting: order?.toUpperCase() ?? 'UNORDERED',
    type: 'TABLE_SLICE',
  };
}

function boundInfo(
  side: 'left' | 'right',
  bound: Value,
  type: 'open' | 'closed' | undefined,
): Record<string, Datum> {
  const name = `${side}_bound`;
  if (bound instanceof BoundValue) {
    const isOpen = bound.end === (side === 'left' ? 'minval' : 'maxval');
    return { [`${name}_type`]: isOpen ? 'unbounded' : 'unachievable' };
  }
  return objectOf([
    [name, datumOf(bound)],
    [`${name}_type`, type ?? 'closed'],
  ]);
}

export const infoTerms: readonly TermEntry[] = [
  [Term.INFO, { arity: [1, 1], effects: true, grouped: true, run: info }],
];
