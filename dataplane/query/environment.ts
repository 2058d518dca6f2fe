import type { ReadMode, TableAccess } from '../wire/table-access.ts';
import type { NodeReport, ServerName } from './node-report.ts';

/**
 * What a query needs from outside. The query engine is pure: it declares these interfaces, and
 * `node` hands in what satisfies them (replication's tables, the metadata catalog, clock, chance).
 */
export interface Environment {
  readonly catalog: Catalog;
  /** Opens a table for reading (`single` without a mode) and writing; undefined when it was dropped since. */
  readonly table: (id: string, mode?: ReadMode) => TableAccess | undefined;
  /** Lets other work of the process run: long queries call it between batches. */
  pause(): Promise<void>;
  /** Rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Milliseconds since 1970. */
  now(): number;
  /** A random (version 4) UUID. */
  uuid(): string;
  /** Uniform in [0, 1). */
  random(): number;
  readonly server: ServerName;
}

/** That of a node, whose system tables are made from what it reports. */
export interface NodeEnvironment extends Environment {
  readonly report: NodeReport;
}

export interface DatabaseInfo {
  readonly id: string;
  readonly name: string;
}

export interface IndexInfo {
  readonly name: string;
  readonly multi: boolean;
  readonly geo: boolean;
  /** The index function as its wire term (JSON text of a FUNC term). */
  readonly definition: string;
  readonly ready: boolean;
  /** 0 to 1. */
  readonly progress: number;
  /** Why nobody keeps or reads it any more, as the end of a sentence. */
  readonly failure?: string;
  /** Evaluations since the start that left a document out of it, if there were any. */
  readonly failedEvaluations?: number;
}

export interface WriteHook {
  /** Of `definition`; the one that this version writes is `writeHookFormat`. */
  readonly format: number;
  /** The hook as its wire term (JSON text of a FUNC term of three parameters). */
  readonly definition: string;
}

/** Which servers are to have a shard. */
export interface ShardPlaces {
  readonly primary: ServerName;
  /** All of them. */
  readonly replicas: readonly ServerName[];
}

export interface TableInfo {
  readonly id: string;
  readonly name: string;
  readonly database: DatabaseInfo;
  readonly primaryKey: string;
  readonly durability: 'hard' | 'soft';
  readonly indexes: readonly IndexInfo[];
  readonly shards: number;
  readonly replicas: number;
  readonly replication: 'sync' | 'semi-sync' | 'async';
  readonly partition: 'hash' | 'range' | 'hybrid';
  /** It is neither read nor written. */
  readonly isDamaged: boolean;
  /** The field whose time ends a document. */
  readonly expireAt?: string | undefined;
  readonly writeHook?: WriteHook | undefined;
  /** `majority` without it. */
  readonly writeAcks?: 'single' | 'majority' | undefined;
  /** In the order of the shards. Without it, the server that is asked has all of them. */
  readonly places?: readonly ShardPlaces[] | undefined;
}

/** Identifiers of the servers of a shard; the first one is to be its primary. */
type WantedPlace = readonly string[];

/** Which servers are to have the shards of a table; what is not given stays as it is. */
export interface PlacementWish {
  readonly shards?: number | undefined;
  /** Of each shard, on servers that the catalogue chooses. */
  readonly replicas?: number | undefined;
  readonly places?: readonly WantedPlace[] | undefined;
  /** Each server leads as many shards as any other, as far as that can be. */
  readonly isBalanced?: boolean;
  /** Nothing is changed: the table is answered as it would be. */
  readonly isDryRun?: boolean;
}

/** What `config()` changes of a table. */
export type TableSettings = Pick<
  TableInfo,
  'name' | 'database' | 'durability' | 'writeAcks' | 'shards' | 'expireAt'
>;

interface TableOptions extends Pick<TableInfo, 'writeAcks'> {
  readonly primaryKey: string;
  readonly durability: 'hard' | 'soft';
  readonly shards: number;
  readonly replicas: number;
  /** As the user asked; the catalogue chooses without it. */
  readonly wantedReplicas?: number | undefined;
  /** As the user asked, in place of a number. */
  readonly places?: readonly WantedPlace[] | undefined;
  readonly replication: 'sync' | 'semi-sync' | 'async';
  readonly partition: 'hash' | 'range' | 'hybrid';
  /** The field whose time ends a document. */
  readonly expireAt?: string | undefined;
}

/**
 * A change that the catalog refused: what can happen is a value. `message` is the sentence that the
 * driver shows, in RethinkDB's words.
 */
export interface Refusal {
  readonly type: 'refused';
  readonly message: string;
}

/** Names are checked by the query engine; existence is decided by the catalog, in one place. */
export interface Catalog {
  databases(): readonly DatabaseInfo[];
  database(name: string): DatabaseInfo | undefined;
  tables(databaseId: string): readonly TableInfo[];
  table(databaseId: string, name: string): TableInfo | undefined;
  tableById(id: string): TableInfo | undefined;
  /** The id is drawn when none is given. */
  createDatabase(name: string, id?: string): Promise<DatabaseInfo | Refusal>;
  dropDatabase(
    name: string,
  ): Promise<{ database: DatabaseInfo; tables: readonly TableInfo[] } | Refusal>;
  createTable(
    databaseId: string,
    name: string,
    options: TableOptions,
    id?: string,
  ): Promise<TableInfo | Refusal>;
  /** Undefined: documents do not expire any more. */
  setExpireAt(id: string, field: string | undefined): Promise<TableInfo | Refusal>;
  /** Undefined: the table has no hook any more. */
  setWriteHook(id: string, hook: WriteHook | undefined): Promise<TableInfo | Refusal>;
  /** Renames a table, moves it to another database, changes its settings. */
  configureTable(id: string, settings: TableSettings): Promise<TableInfo | Refusal>;
  placeReplicas(id: string, wish: PlacementWish): Promise<TableInfo | Refusal>;
  renameDatabase(id: string, name: string): Promise<DatabaseInfo | Refusal>;
  dropTable(id: string): Promise<TableInfo | Refusal>;
  createIndex(
    tableId: string,
    index: Pick<IndexInfo, 'name' | 'multi' | 'geo' | 'definition'>,
  ): Promise<TableInfo | Refusal>;
  dropIndex(tableId: string, name: string): Promise<TableInfo | Refusal>;
  renameIndex(
    tableId: string,
    names: { from: string; to: string; overwrite: boolean },
  ): Promise<TableInfo | Refusal>;
  /** Resolves when progress and failures of indexes are those of now, where another process knows them. */
  refresh?(): Promise<void>;
  /** Resolves when the table serves and the named indexes (all without names) are built. */
  ready(
    tableId: string,
    indexes: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<void>;
}
