import type {
  IndexRecord,
  MemberRecord,
  MetadataState,
  TableRecord,
  Verifier,
  WriteHookRecord,
} from './state.ts';

type NewTable = Omit<TableRecord, 'keyspace' | 'indexes' | 'placement'>;

/** Changes of the metadata, and what comes of one. */
export type MetadataCommand =
  | { readonly type: 'createDatabase'; readonly id: string; readonly name: string }
  | { readonly type: 'dropDatabase'; readonly name: string }
  | {
      readonly type: 'createTable';
      /**
       * Of this command. Without it the table has one shard, whatever it asks for. Format 3 says which nodes
       * replicate each shard.
       */
      readonly format?: 2 | 3;
      readonly table: NewTable;
      /** Identifiers of nodes, for each shard. */
      readonly replicas?: readonly (readonly string[])[];
    }
  | { readonly type: 'dropTable'; readonly id: string }
  | {
      readonly type: 'createIndex';
      readonly tableId: string;
      readonly index: Omit<IndexRecord, 'keyspace' | 'ready' | 'parts' | 'system'>;
    }
  | {
      /** `rebuildIndex`: of an index whose entries cannot be trusted. */
      readonly type: 'indexReady' | 'rebuildIndex';
      readonly tableId: string;
      readonly keyspace: number;
    }
  | { readonly type: 'dropIndex'; readonly tableId: string; readonly name: string }
  | {
      readonly type: 'renameIndex';
      readonly tableId: string;
      readonly from: string;
      readonly to: string;
      readonly overwrite: boolean;
    }
  | { readonly type: 'setExpireAt'; readonly tableId: string; readonly field: string | undefined }
  | {
      /** Without a hook the table has none. */
      readonly type: 'setWriteHook';
      readonly tableId: string;
      readonly hook: WriteHookRecord | undefined;
    }
  | { readonly type: 'configureTable'; readonly tableId: string; readonly config: TableConfig }
  | { readonly type: 'renameDatabase'; readonly id: string; readonly name: string }
  | { readonly type: 'setVerifier'; readonly user: string; readonly verifier: Verifier }
  | { readonly type: 'cleared'; readonly keyspace: number }
  /** For a table without documents. */
  | {
      readonly type: 'reshardTable';
      readonly tableId: string;
      readonly shards: number;
      /** As those of `createTable`. */
      readonly replicas?: readonly (readonly string[])[];
    }
  | { readonly type: 'putMember'; readonly format: 3; readonly member: MemberRecord }
  | { readonly type: 'removeMember'; readonly format: 3; readonly id: string }
  /** After the loss of a majority: all other members are lost, with their replicas. */
  | { readonly type: 'giveUpMembers'; readonly format: 3; readonly survivor: string }
  | {
      /** Which voters a shard is to have. */
      readonly type: 'placeShard';
      readonly format: 3;
      readonly tableId: string;
      readonly group: number;
      readonly wanted: readonly string[];
    }
  | {
      /** Which voters each shard of a table is to have, in the order of the shards, because somebody asked for it. */
      readonly type: 'placeTable';
      readonly format: 3;
      readonly tableId: string;
      readonly wanted: readonly (readonly string[])[];
      /** Whether the cluster still decides how many there are. */
      readonly growsReplicas: boolean;
    }
  | {
      /** The leader of a shard reports its members. */
      readonly type: 'shardMembers';
      readonly format: 3;
      readonly tableId: string;
      readonly group: number;
      /** Of the placement that the leader follows; absent from a release before this one. */
      readonly epoch?: number;
      readonly voters: readonly string[];
      readonly learners: readonly string[];
    }
  /** Takes numbers for rows that come in; without a number of shards, one for a keyspace and its group. */
  | { readonly type: 'beginImport'; readonly shards?: number }
  | {
      readonly type: 'finishImport';
      readonly keyspace: number;
      readonly table: NewTable;
      readonly indexes: readonly Omit<IndexRecord, 'keyspace' | 'ready' | 'parts'>[];
    }
  | { readonly type: 'abandonImport'; readonly keyspace: number };

/** What can be changed of a table without touching its rows. */
export type TableConfig = Pick<
  TableRecord,
  'name' | 'databaseId' | 'durability' | 'writeAcks' | 'shards' | 'expireAt'
>;

export interface Refused {
  readonly type: 'refused';
  readonly message: string;
}

export type MetadataResult = { readonly type: 'applied'; readonly state: MetadataState } | Refused;

export const refused = (message: string): Refused => ({ type: 'refused', message });
export const applied = (state: MetadataState): MetadataResult => ({ type: 'applied', state });
