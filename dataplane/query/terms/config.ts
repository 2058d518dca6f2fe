import type { Datum } from '../../datum/datum.ts';
import { encodeKey } from '../../datum/key.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import type { TableInfo } from '../environment.ts';
import { opFailed } from '../failure.ts';
import { refuseSystem, systemDatabase } from '../system-database.ts';
import { DatabaseValue, RowValue, TableValue } from '../value.ts';
import { StoredRow } from '../item.ts';
import type { Value } from '../value.ts';
import { Term } from '../term-table.ts';
import { expectTable } from './select.ts';

/** `config` and `status`: the row of a system table, which is read and written as any other. */

async function systemRow(name: string, id: string, context: Context): Promise<RowValue> {
  const { environment, work } = context;
  const info = environment.catalog.table(systemDatabase.id, name);
  const access = info === undefined ? undefined : environment.table(info.id);
  if (info === undefined || access === undefined)
    throw opFailed(`Table \`${systemDatabase.name}.${name}\` does not exist.`);
  const table = new TableValue(info, access, work);
  const key = encodeKey(id);
  const row = await access.get(key, context.deadline);
  return new RowValue(
    table,
    { key, primaryKey: id },
    row === undefined ? undefined : new StoredRow(row),
  );
}

async function tableRow(name: string, info: TableInfo, context: Context): Promise<Value> {
  const row = await systemRow(name, info.id, context);
  if (row.row !== undefined) return row;
  throw opFailed(`Table \`${info.database.name}.${info.name}\` does not exist.`);
}

/** The row of `table_status` as of now. */
export async function statusOf(info: TableInfo, context: Context): Promise<Datum> {
  const { row } = await systemRow('table_status', info.id, context);
  if (row !== undefined) return row.datum;
  throw opFailed(`Table \`${info.database.name}.${info.name}\` does not exist.`);
}

async function config({ args: [target = null], context }: TermCall): Promise<Value> {
  if (target instanceof DatabaseValue) {
    refuseSystem({ database: target.info }, "you can't configure it");
    const row = await systemRow('db_config', target.info.id, context);
    if (row.row !== undefined) return row;
    throw opFailed(`Database \`${target.info.name}\` does not exist.`);
  }
  const { info } = expectTable(target);
  refuseSystem(info, "you can't configure the tables in it");
  return tableRow('table_config', info, context);
}

function status({ args: [target], context }: TermCall): Promise<Value> {
  const { info } = expectTable(target);
  refuseSystem(info, "the system tables in it don't have meaningful status information");
  return tableRow('table_status', info, context);
}

export const configTerms: readonly TermEntry[] = [
  [Term.CONFIG, { arity: [1, 1], effects: true, run: config }],
  [Term.STATUS, { arity: [1, 1], effects: true, run: status }],
];
