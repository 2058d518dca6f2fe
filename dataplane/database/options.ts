import type { Clock } from '../common/clock.ts';
import type { DocumentCheck } from '../datum/document-check.ts';
import type { Damage } from '../integrity/damage.ts';
import type { ApplyStore, StoreStatistics } from '../kv/store.ts';
import type { ScrubCounters } from '../maintenance/scrubber.ts';
import type { MetadataCommand, Refused } from '../metadata/command.ts';
import type { MetadataState } from '../metadata/state.ts';
import type { GroupLog, LogReplay } from '../replication/log.ts';
import type { ReplicationSource } from '../replication/replicated-group.ts';
import type { ReplicaEvent } from '../shard/replica-care.ts';
import type { BlockPlaces } from '../shard/direct-reads.ts';
import type { SnapshotPeer } from '../transfer/snapshot-sender.ts';
import type { CompileIndex } from '../table/apply.ts';
import type { ShardEngine } from '../wire/shard-engine.ts';
import type { FailedIndex, PlaceOfIndex } from './table-indexes.ts';

export interface DatabaseOptions {
  readonly store: ApplyStore;
  readonly clock: Clock;
  openLog(replay: LogReplay): Promise<GroupLog>;
  readonly documents: DocumentCheck;
  readonly edits: ShardEngine;
  readonly compileIndex: CompileIndex;
  /** Bytes of writes that may wait for the store. */
  readonly memtableBytesMax: number;
  /** A command is closed when it holds so many bytes; 1 MiB when it is not given. */
  readonly commandBytesMax?: number;
  /** Bytes of documents that are kept because they were read by their key; zero for none. */
  readonly cacheBytesMax: number;
  onProgress(doneBytes: number, totalBytes: number): void;
  /**
   * Opens the metadata alone: no entry of a table is applied, nothing is evaluated, built or removed.
   * Tables cannot be read or written, but dropped, and so can their indexes.
   */
  readonly isForRepair?: boolean;
  /** Damage of the log that affects single tables is refused, too. */
  readonly requiresWholeLog?: boolean;
  /** Called with each table that goes into quarantine while the database is open or opens. */
  tableQuarantined?(table: string, damage: Damage): void;
  /** Called with each index that fails. */
  indexFailed?(failed: FailedIndex): void;
  /** Called with the first document that an index function failed on. */
  documentLeftOut?(place: PlaceOfIndex, why: string): void;
  /** Called when a table loses a write that was acknowledged softly; once until a `sync` of the table reports it. */
  softRefused?(table: string, refusal: Error): void;
  /** Where shards publish which of their writes the store lacks, for processes that read the store directly. */
  readonly blocks?: BlockPlaces | undefined;
  /** What replicates the groups of the log; groups of one member without it. */
  readonly replicate?: ReplicationSource;
  /** Carries parts of states to other nodes, whose `snapshotRequest` answers them. */
  readonly snapshotPeer?: SnapshotPeer;
  /** Asks the leader of the metadata for a change of the node's own work; without it that waits to lead itself. */
  forward?(command: MetadataCommand): Promise<MetadataState | Refused>;
  /** Between two comparisons of the replicas of a shard that changes; 5 minutes when it is not given. */
  readonly compareEveryMs?: number;
  /** Called with what became of replicas: comparisons, and rebuilt ones. */
  replicaEvent?(event: ReplicaEvent): void;
  readonly signal: AbortSignal;
}

export interface ReplicaCounters {
  /** Comparisons since the start that found all replicas equal. */
  compared: number;
  /** Replicas here that were found to differ from a majority. */
  differed: number;
  rebuilt: number;
  /** Shards led here whose replicas differ, and of which no majority agrees. */
  undecided: number;
}

export interface DatabaseMetrics {
  readonly memtableBytes: number;
  readonly cache: {
    readonly bytes: number;
    readonly hits: number;
    readonly misses: number;
  };
  readonly scrub: ScrubCounters;
  /** Of shards with replicas on other nodes. */
  readonly replicas: ReplicaCounters;
  readonly failedIndexes: number;
  /** Evaluations of index functions since the start that left a document out. */
  readonly failedEvaluations: number;
  /** Documents that the last scrub could not read. */
  readonly damagedDocuments: number;
  /** Committed entries that the store has not yet. */
  readonly applyQueue: number;
  readonly store: StoreStatistics;
  readonly logBytesAtStart: number;
  readonly tables: readonly {
    /** `database.table` */
    readonly name: string;
    readonly appliedIndex: number;
    readonly documents: number;
    /** Of stored keys and values, without indexes. */
    readonly bytes: number;
    readonly reads: number;
    readonly writes: number;
  }[];
}
