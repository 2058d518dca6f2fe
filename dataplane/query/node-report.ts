/** What a node says of itself in the system tables. Plain values: the query engine reads no clock. */
export interface NodeReport {
  readonly process: {
    readonly version: string;
    readonly pid: number;
    readonly argv: readonly string[];
    readonly startedAtMs: number;
    /** Bytes of documents that the node may keep in memory. */
    readonly cacheBytes: number;
  };
  network(): NetworkReport;
  /** The nodes of the cluster as this one sees them, itself among them. */
  members(): readonly MemberReport[];
  /** Those that can have replicas now; undefined where the server that is asked has everything. */
  servers(): readonly ServerName[] | undefined;
  /** The shards of tables with places, by the table's identifier, as of now. */
  shards(): Promise<ReadonlyMap<string, readonly ShardReport[]>>;
  statistics(): Promise<NodeStatistics>;
  /** Things that somebody has to look at, the first one first. */
  issues(): readonly NodeIssue[];
  /** The last messages of the log, the oldest first. */
  messages(): readonly LoggedMessage[];
  queries(): Promise<readonly RunningQuery[]>;
  /** Whether there was such a query. */
  cancelQuery(id: string): Promise<boolean>;
  users(): Promise<readonly UserReport[]>;
}

export interface NetworkReport {
  readonly hostname: string;
  readonly driverPort: number;
  readonly clusterPort: number;
  /** Undefined when there is none. */
  readonly webPort: number | undefined;
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
}

export interface MemberReport {
  readonly id: string;
  readonly name: string;
  readonly isSelf: boolean;
  readonly status: 'alive' | 'suspect' | 'quarantined' | 'dead' | 'left';
  /** Why it has this status, and since when. */
  readonly reason: string;
  readonly sinceMs: number;
  readonly isConnected: boolean;
  readonly roles: readonly string[];
  readonly version: string;
  /** Where it listens for nodes and for drivers; undefined when that is not known. */
  readonly cluster: { readonly host: string; readonly port: number } | undefined;
  readonly driver: { readonly host: string; readonly port: number } | undefined;
}

export interface ServerName {
  readonly id: string;
  readonly name: string;
}

export type ReplicaState =
  | 'ready'
  /** It is to have the shard, and does not take part yet. */
  | 'transitioning'
  | 'backfilling'
  | 'disconnected'
  | 'waiting_for_primary'
  | 'waiting_for_quorum'
  /** Of a table of one node, which is damaged. */
  | 'damaged';

export interface ShardReport {
  /** Undefined while none is known that can write. */
  readonly primary: ServerName | undefined;
  readonly replicas: readonly { readonly server: ServerName; readonly state: ReplicaState }[];
}

/** Totals since the start, and rates of the last moments. */
export interface NodeStatistics {
  readonly connections: number;
  readonly activeConnections: number;
  readonly queries: Counted;
  readonly tables: ReadonlyMap<string, TableStatistics>;
}

interface Counted {
  readonly total: number;
  readonly perSecond: number;
}

export interface TableStatistics {
  readonly reads: Counted;
  readonly writes: Counted;
  /** Of stored keys and values. */
  readonly dataBytes: number;
  /** Of it in memory. */
  readonly cachedBytes: number;
}

export interface NodeIssue {
  readonly type:
    | 'table_availability'
    | 'disk_full'
    | 'index_failed'
    | 'documents_damaged'
    | 'metadata_frozen';
  readonly description: string;
  /** Of the table that it is about. */
  readonly tableId?: string;
}

export interface LoggedMessage {
  readonly atMs: number;
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly message: string;
}

export interface RunningQuery {
  readonly id: string;
  readonly runningMs: number;
  readonly user: string;
  readonly client: { readonly address: string; readonly port: number };
  readonly text: string;
}

export interface UserReport {
  readonly name: string;
  readonly hasPassword: boolean;
}
