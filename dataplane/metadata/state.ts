import type { SlotRange } from '../partition/hash-slots.ts';

/**
 * What the cluster knows of databases, tables, indexes and users: the state that the metadata log
 * builds. Plain data, so that a snapshot of it is its JSON text.
 */
export interface DatabaseRecord {
  readonly id: string;
  readonly name: string;
}

/** A part of a table: its group in the log, the keyspace of its rows, and the slots whose keys it has. */
export interface ShardRecord {
  readonly group: number;
  readonly keyspace: number;
  readonly slots: readonly SlotRange[];
  /** Absent from a shard that was made before shards had replicas: the founder of the cluster has it. */
  readonly replicas?: ShardReplicas;
}

/** Identifiers of the nodes that replicate a shard. */
export interface ShardReplicas {
  /** Each of them starts the group with all of them as its voters. They never change. */
  readonly founders: readonly string[];
  /** As the leader of the group reported. */
  readonly voters: readonly string[];
  readonly learners: readonly string[];
  /** The voters that the group is to have. */
  readonly wanted: readonly string[];
  /**
   * Nodes that were to have a replica and are to have none, and the epoch since when: the group may have them until its
   * leader, who knows that, reports its members.
   */
  readonly leaving?: Readonly<Record<string, number>>;
  /** Founders that had to give their replica away at some time: they have no group to start any more. */
  readonly departed?: readonly string[];
}

/** A node of the cluster. */
export interface MemberRecord {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly zone?: string | undefined;
}

/** The map of a table's shards. Its epoch grows with each change of it. */
export interface Placement {
  readonly epoch: number;
  readonly shards: readonly ShardRecord[];
}

/** The entries of an index for the rows of one shard. */
export interface IndexPart {
  readonly keyspace: number;
  readonly ready: boolean;
}

export interface IndexRecord {
  readonly name: string;
  readonly multi: boolean;
  readonly geo: boolean;
  /** The index function as JSON text of its term. */
  readonly definition: string;
  /** Of the first part. */
  readonly keyspace: number;
  /** Whether all parts are. */
  readonly ready: boolean;
  /** In the order of the table's shards; absent with one shard. */
  readonly parts?: readonly IndexPart[];
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
  /** As it was asked for; `placement` says how many there are. */
  readonly shards: number;
  readonly replicas: number;
  readonly replication: 'sync' | 'semi-sync' | 'async';
  readonly partition: 'hash' | 'range' | 'hybrid';
  /** Of the rows of its first shard. Never used again. */
  readonly keyspace: number;
  /** Absent from a table that was made before tables had shards: its only group has the number of its keyspace. */
  readonly placement?: Placement;
  readonly indexes: readonly IndexRecord[];
  /** The field whose time ends a document; none without it. An index of the system is over it. */
  readonly expireAt?: string | undefined;
  readonly writeHook?: WriteHookRecord | undefined;
  /** Whether `replicas` is a default, which may grow with the cluster. */
  readonly growsReplicas?: boolean | undefined;
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
  /** The group that ended with it, when it had another number. */
  readonly group?: number;
}

export interface MetadataState {
  /** 2 since a table has a placement, 3 since the cluster has members: releases before cannot read that. */
  readonly format: 1 | 2 | 3;
  readonly databases: Readonly<Record<string, DatabaseRecord>>;
  readonly tables: Readonly<Record<string, TableRecord>>;
  readonly users: Readonly<Record<string, Verifier>>;
  /** By identifier; absent before the first. */
  readonly members?: Readonly<Record<string, MemberRecord>>;
  /** The first of the members, which has the shards that were made before there were members. */
  readonly founder?: string;
  /** Lost with a majority of the members: they may have another history, and never come back under these identifiers. */
  readonly givenUp?: readonly string[];
  readonly garbage: readonly Garbage[];
  /** Keyspaces whose rows come in and belong to no table yet; absent in states of before. */
  readonly imports?: readonly number[];
  /** As `imports`, of several shards or of groups with numbers of their own. */
  readonly importing?: readonly { readonly shards: readonly ShardRecord[] }[];
  /** The next number of a keyspace or a group. */
  readonly nextKeyspace: number;
}

/** The newest that this release reads. */
export const metadataFormat = 3;

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
