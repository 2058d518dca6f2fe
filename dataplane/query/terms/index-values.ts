import { compareBytes } from '../../common/bytes.ts';
import type { Datum } from '../../datum/datum.ts';
import { encodeKey } from '../../datum/key.ts';
import type { Context } from '../compiled.ts';
import { datumOfItem, StoredRow } from '../item.ts';
import type { TableValue } from '../value.ts';
import type { Item } from '../item.ts';
import { readyIndex } from './index-access.ts';

/**
 * The value by which an index found a document: of a multi index one of several, which the entry's key
 * tells. Undefined when the document changed since.
 */
export function indexValueOf(
  table: TableValue,
  name: string,
  context: Context,
): (item: Item) => Datum | undefined {
  const { primaryKey } = table.info;
  if (name === primaryKey)
    return (item) => (datumOfItem(item) as Readonly<Record<string, Datum>>)[name];
  const { definition, multi } = readyIndex(table, name);
  const valuesOf = context.indexValues(definition, multi);
  return (item) => {
    const values = valuesOf(datumOfItem(item));
    if (!(item instanceof StoredRow) || !multi) return values[0];
    return values.find((value) => compareBytes(encodeKey(value), item.indexKey) === 0);
  };
}
