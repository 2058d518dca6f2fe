import type { MetadataCommand, Refused } from '../metadata/command.ts';
import type { IndexPart, MetadataState } from '../metadata/state.ts';
import type { AppliedIndex } from '../table/apply.ts';

/** The tables of a node as the metadata has them now, and what is made of that. */
export interface Tables {
  readonly state: MetadataState;
  /** By the keyspace of a part; undefined for an index that is gone or has failed. */
  index(keyspace: number): AppliedIndex | undefined;
  /** Whether this node has all entries of a part of an index. */
  isReady(part: IndexPart): boolean;
  /** Whether this node has a replica of the shard of a group. */
  isHere(group: number): boolean;
  /** Whether that replica leads. */
  isLeading(group: number): boolean;
  /** Indexes of the shard of a group; undefined when the table was dropped. */
  indexesOf(group: number): readonly AppliedIndex[] | undefined;
  /** Why stored text is no document of the keyspace's table, as the end of a sentence; undefined for one. */
  problemOf(keyspace: number, text: string, key: Uint8Array): string | undefined;
}

/** The log of the metadata. */
export interface MetadataLog {
  /** Resolves when the change is committed, or with why it is refused. */
  change(command: MetadataCommand): Promise<MetadataState | Refused>;
  /** Resolves when the store has what was committed before the call. */
  settled(): Promise<void>;
}
