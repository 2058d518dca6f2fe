import type { Datum } from '../../datum/datum.ts';
import type { Environment } from '../environment.ts';
import { opFailed } from '../failure.ts';
import { accepted } from './accepted.ts';
import { RowReader } from './row-reader.ts';
import { catalogId, entryOf } from './system-table.ts';
import type { SystemChange, SystemTable, SystemView } from './system-table.ts';

/** `db_config`: a row for each database. Rows are inserted, renamed and deleted. */
const wrongFormat =
  "The change you're trying to make to `rethinkdb.db_config` has the wrong format. ";

/** The database of the system tables; no other may take its name. */
export const systemName = 'rethinkdb';

async function write(
  { id, old, proposed, isKeyGenerated }: SystemChange,
  { environment: { catalog } }: SystemView,
): Promise<Datum> {
  const before = catalog.databases().find((database) => database.id === id);
  if (proposed === null) {
    if (before !== undefined) accepted(await catalog.dropDatabase(before.name));
    return null;
  }
  const reader = new RowReader(proposed, wrongFormat);
  const name = reader.name('name', 'db name');
  reader.field('id');
  reader.end();
  if (before === undefined) return create(name, { id: catalogId(id), isKeyGenerated }, catalog);
  if (name === before.name) return old;
  if (name === systemName)
    throw opFailed(
      `Cannot rename database \`${before.name}\` to \`${name}\` because database \`${name}\` already exists.`,
    );
  return { ...accepted(await catalog.renameDatabase(before.id, name)) };
}

async function create(
  name: string,
  { id, isKeyGenerated }: { readonly id: string; readonly isKeyGenerated: boolean },
  catalog: Environment['catalog'],
): Promise<Datum> {
  if (!isKeyGenerated)
    throw opFailed(
      'If you want to create a new table by inserting into `rethinkdb.db_config`, you must use an auto-generated primary key.',
    );
  if (name === systemName) throw opFailed(`Database \`${name}\` already exists.`);
  return { ...accepted(await catalog.createDatabase(name, id)) };
}

export const databaseConfigTable: SystemTable = {
  name: 'db_config',
  entries: ({ environment: { catalog } }) =>
    catalog.databases().map(({ id, name }) => entryOf(id, () => ({ id, name }))),
  write,
};
