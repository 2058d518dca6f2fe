/**
 * What the cluster knows of databases, tables, indexes and users: the state that the metadata log
 * builds. Plain data, so that a snapshot of it is its JSON text.
 */
export interface DatabaseRecord {
  readonly id: string;
  readonly name: string;
}

export interface IndexRecord {
  readonly name: string;
  readonly multi: boolean;
  readonly geo: boolean;
  /** The index function as JSON text of its term. */
  readonly definition: string;
  readonly keyspace: number;
  readonly ready: boolean;
  /** Of an index that the node keeps for itself, and users do not see: what it is for. */
  readonly system?: 'expiry';
}

/** A function that every write of a table passes through. */
export interface WriteHookRecord {
  /** Of `definition`. A hook of a later format refuses writes; it is never skipped. */
  readonly format: number;
  /** The function as JSON text of its term. */
  readonly definition: string;
}

export interface TableRecord {
  readonly id: string;
  readonly name: string;
  readonly databaseId: string;
  readonly primaryKey: string;
  readonly durability: 'hard' | 'soft';
  readonly shards: number;
  readonly replicas: number;
  readonly replication: 'sync' | 'semi-sync' | 'async';
  readonly partition: 'hash' | 'range' | 'hybrid';
  /** Of its rows; also the number of its group in the log. Never used again. */
  readonly keyspace: number;
  readonly indexes: readonly IndexRecord[];
  /** The field whose time ends a document; none without it. An index of the system is over it. */
  readonly expireAt?: string | undefined;
  readonly writeHook?: WriteHookRecord | undefined;
  /** `majority` without it. */
  readonly writeAcks?: 'single' | 'majority' | undefined;
}

/** What a server keeps of a password (RFC 5802): base64 text. */
export interface Verifier {
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
}

/** A range of keys that nothing refers to any more, to be removed in slices. */
export interface Garbage {
  readonly keyspace: number;
  readonly database: 'data' | 'index';
}

export interface MetadataState {
  readonly format: 1;
  readonly databases: Readonly<Record<string, DatabaseRecord>>;
  readonly tables: Readonly<Record<string, TableRecord>>;
  readonly users: Readonly<Record<string, Verifier>>;
  readonly garbage: readonly Garbage[];
  /** Keyspaces whose rows come in and belong to no table yet; absent in states of before. */
  readonly imports?: readonly number[];
  readonly nextKeyspace: number;
}

/** Keyspace 0 is the metadata log's own group. */
export const emptyState: MetadataState = {
  format: 1,
  databases: {},
  tables: {},
  users: {},
  garbage: [],
  nextKeyspace: 1,
};

/** The indexes that users make, see and drop. */
export const userIndexes = (table: TableRecord): IndexRecord[] =>
  table.indexes.filter(({ system }) => system === undefined);

/** `database.table` */
export function qualifiedName(
  state: MetadataState,
  { databaseId, name }: Pick<TableRecord, 'databaseId' | 'name'>,
): string {
  return `${state.databases[databaseId]?.name ?? ''}.${name}`;
}
