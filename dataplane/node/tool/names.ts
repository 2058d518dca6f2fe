import { databaseByName, tableByName } from '../../metadata/lookup.ts';
import type { TableRecord } from '../../metadata/state.ts';
import type { Database } from '../../database/database.ts';

/** Names of tables on a command line. */

/** It cannot be done as it was said. */
export class UsageError extends Error {}

interface TableName {
  readonly database: string;
  readonly table: string;
}

export function tableName(text: string): TableName {
  const [database = '', table = '', ...more] = text.split('.');
  if (database === '' || table === '' || more.length > 0) {
    throw new UsageError(`"${text}" is not the name of a table: use DATABASE.TABLE`);
  }
  return { database, table };
}

export function tableNamed({ state }: Database, name: TableName): TableRecord {
  const database = databaseByName(state, name.database);
  const table = database && tableByName(state, database.id, name.table);
  if (table === undefined) {
    throw new UsageError(`table ${name.database}.${name.table} does not exist`);
  }
  return table;
}
