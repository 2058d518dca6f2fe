import type {
  IndexRecord,
  MetadataState,
  TableRecord,
  Verifier,
  WriteHookRecord,
} from './state.ts';

/** Changes of the metadata, and what comes of one. */
export type MetadataCommand =
  | { readonly type: 'createDatabase'; readonly id: string; readonly name: string }
  | { readonly type: 'dropDatabase'; readonly name: string }
  | { readonly type: 'createTable'; readonly table: Omit<TableRecord, 'keyspace' | 'indexes'> }
  | { readonly type: 'dropTable'; readonly id: string }
  | {
      readonly type: 'createIndex';
      readonly tableId: string;
      readonly index: Omit<IndexRecord, 'keyspace' | 'ready' | 'system'>;
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
  /** Takes the next keyspace for rows that come in. */
  | { readonly type: 'beginImport' }
  | {
      readonly type: 'finishImport';
      readonly keyspace: number;
      readonly table: Omit<TableRecord, 'keyspace' | 'indexes'>;
      readonly indexes: readonly Omit<IndexRecord, 'keyspace' | 'ready'>[];
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
