import type { Catalog } from '../../query/environment.ts';
import type { Channel } from '../../workers/channel.ts';
import type { CatalogReplica } from './catalog-replica.ts';
import { thrownHere } from './failures.ts';

/** What changes the catalogue, by the names of its methods; the core calls them with the arguments that it is sent. */
export const catalogChanges = [
  'createDatabase',
  'dropDatabase',
  'createTable',
  'setExpireAt',
  'setWriteHook',
  'configureTable',
  'placeReplicas',
  'renameDatabase',
  'dropTable',
  'createIndex',
  'dropIndex',
  'renameIndex',
] as const satisfies readonly (keyof Catalog)[];
export type CatalogChangeName = (typeof catalogChanges)[number];

/** The catalogue of a query worker: reads its replica, and has the core change it. */
export function remoteCatalog(replica: CatalogReplica, channel: Channel): Catalog {
  const change = <Name extends CatalogChangeName>(name: Name): Catalog[Name] =>
    ((...args: unknown[]) =>
      thrownHere(channel.request(['change', name, args]))) as unknown as Catalog[Name];
  return {
    createDatabase: change('createDatabase'),
    dropDatabase: change('dropDatabase'),
    createTable: change('createTable'),
    setExpireAt: change('setExpireAt'),
    setWriteHook: change('setWriteHook'),
    configureTable: change('configureTable'),
    placeReplicas: change('placeReplicas'),
    renameDatabase: change('renameDatabase'),
    dropTable: change('dropTable'),
    createIndex: change('createIndex'),
    dropIndex: change('dropIndex'),
    renameIndex: change('renameIndex'),
    databases: () => replica.databases(),
    database: (name) => replica.database(name),
    tables: (databaseId) => replica.tables(databaseId),
    table: (databaseId, name) => replica.table(databaseId, name),
    tableById: (id) => replica.tableById(id),
    refresh: async () => {
      await thrownHere(channel.request(['refresh']));
    },
    ready: async (id, indexes, signal) => {
      await thrownHere(channel.request(['ready', id, indexes ?? null], signal));
    },
  };
}
