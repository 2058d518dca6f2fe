import type { TableRecord } from '../state.ts';

/** What `createTable` needs of a table in the database `d`, with the settings that a table has by default. */
type NewTable = Omit<TableRecord, 'keyspace' | 'indexes' | 'placement'>;

export const newTable = (id: string, settings: Partial<NewTable> = {}): NewTable => ({
  id,
  name: id,
  databaseId: 'd',
  primaryKey: 'id',
  durability: 'hard',
  shards: 1,
  replicas: 1,
  replication: 'sync',
  partition: 'hash',
  ...settings,
});
