import { copyBytes } from '../common/bytes.ts';
import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import type { ApplyStore } from '../kv/store.ts';
import { shardOfGroup } from '../metadata/lookup.ts';
import { groupsOf } from '../metadata/shards.ts';
import type { MetadataState } from '../metadata/state.ts';
import { entryKind, isOfConsensus, logOrder, metadataGroup } from '../replication/entry-kind.ts';
import type { GroupLog, LogEntry } from '../replication/log.ts';
import { decodeCommand } from '../table/command.ts';
import type { Command } from '../table/command.ts';
import { readApplied } from './applied-position.ts';
import type { Applier } from './applier.ts';
import type { ApplyItem } from './apply-queue.ts';
import {
  EntryNotApplicableError,
  gapInReplay,
  logBehindStore,
  MetadataFrozenError,
  unknownGroup,
} from './errors.ts';
import { replayMetadata } from './replay-metadata.ts';
import { entryOverheadBytes, ReplayedEntries } from './replayed.ts';
import type { Tables } from './tables.ts';

export interface ReplayHost {
  readonly store: ApplyStore;
  readonly applier: Applier;
  /** As far as the metadata was taken in. */
  readonly tables: Pick<Tables, 'state'>;
  readonly corruption: CorruptionRegistry;
  /** So much may be taken in before the store has it. */
  readonly bytesMax: number;
  /** Then entries of tables are looked at, and stay where they are. */
  readonly isForRepair: boolean;
  adopt(state: MetadataState): void;
}

/** More would say nothing new. */
const notApplicableMax = 100;

/**
 * Takes in what the log has and the store has not, when a node starts. Guarded invariant: each group goes on
 * exactly where the store stands; a log or a store that is not the other one's throws a `ReplayError`.
 * An entry that cannot be applied ends nothing: its table goes into quarantine; when it is one of the
 * metadata, that stays as it was before it.
 */
export class Replay {
  /** What waits for the store, to be served meanwhile. */
  readonly entries = new ReplayedEntries();
  /** Of an opening for repair. */
  readonly notApplicable: EntryNotApplicableError[] = [];
  readonly #host: ReplayHost;
  /** By group, what was taken in last. */
  readonly #last = new Map<number, number>();
  #frozen: MetadataFrozenError | undefined;
  /** Of entries that wait for the store and are served by nobody. */
  #quarantinedBytes = 0;

  constructor(host: ReplayHost) {
    this.#host = host;
  }

  /** The last entry of a group that the store has. */
  applied(group: number): number {
    return this.#host.store.read((view) => readApplied(view, group));
  }

  /** The last entry of a group that the store has or will have. */
  last(group: number): number {
    return this.#last.get(group) ?? this.applied(group);
  }

  /** Why the metadata stays as it is, if it does. */
  get frozen(): MetadataFrozenError | undefined {
    return this.#frozen;
  }

  /** In the order of the log. The next one waits for what is answered. */
  take(record: LogEntry): void | Promise<void> {
    const { group, index } = record;
    const { nextKeyspace } = this.#host.tables.state;
    if (group === metadataGroup && this.#frozen !== undefined) return undefined;
    // What the store has was applied after such an order.
    if (record.kind === logOrder.truncate && index <= this.applied(group)) return undefined;
    if (group >= nextKeyspace) return this.#takeUnknown(group, nextKeyspace);
    const before = this.last(group);
    // Entries of a dropped table may have been let go of in any number.
    if (index !== before + 1 && this.#isLive(group)) throw gapInReplay(group, before, index);
    if (isOfConsensus(record.kind)) return this.#pass(record);
    if (group === metadataGroup) return this.#takeMetadata(record);
    this.#last.set(group, index);
    if (this.#host.isForRepair) return this.#lookAt(record);
    if (this.#host.corruption.groups.of(group) !== undefined) return this.#takeQuarantined(record);
    return this.#takeCommand(record);
  }

  /** A log that ends before what the store has is not this store's log. */
  requireEnd({ recovery }: GroupLog): void {
    for (const group of [metadataGroup, ...groupsOf(this.#host.tables.state)]) {
      const applied = this.applied(group);
      const end = recovery.lastIndex(group)?.index ?? applied;
      if (end < applied) throw logBehindStore(group, end, applied);
    }
  }

  #pass(record: LogEntry): void {
    const { group, index } = record;
    this.#last.set(group, index);
    if (!this.#host.isForRepair || group === metadataGroup) this.#host.applier.push(passed(record));
  }

  #takeMetadata(record: LogEntry): void {
    const { index, term } = record;
    try {
      const state = replayMetadata(this.#host.tables.state, record);
      this.#last.set(metadataGroup, index);
      this.#host.adopt(state);
      this.#host.applier.push({ type: 'metadata', index, term, state });
    } catch (error) {
      // What comes behind it was decided on a state that this process cannot know.
      this.#frozen = new MetadataFrozenError(index, (error as Error).message);
    }
  }

  /** Its table is made by an entry of the metadata that should come before it. */
  #takeUnknown(group: number, nextKeyspace: number): void {
    const unknown = unknownGroup(group, nextKeyspace);
    // Without any table there is nothing to serve: the store is not the one that the log is of.
    if (groupsOf(this.#host.tables.state).length === 0) throw unknown;
    this.#frozen ??= new MetadataFrozenError(this.last(metadataGroup) + 1, unknown.message);
  }

  #takeCommand(record: LogEntry): void | Promise<void> {
    const { group, index, term, payload } = record;
    const keyspace = this.#keyspaceOf(group);
    // Of a table that was dropped nothing is left.
    if (keyspace === undefined) return undefined;
    const command = commandOf(owned(record), keyspace);
    if (command instanceof EntryNotApplicableError) {
      const { code, message } = command;
      this.#host.corruption.close(group, { code, message });
      return this.#takeQuarantined(record);
    }
    const bytes = payload.byteLength + command.operations.length * entryOverheadBytes;
    const applied = this.entries.add(group, { index, command }, bytes);
    const origin = 'replayed';
    this.#host.applier.push({ type: 'table', group, index, term, command, origin, applied });
    return this.#room();
  }

  #lookAt(record: LogEntry): void {
    if (this.notApplicable.length >= notApplicableMax) return;
    const keyspace = this.#keyspaceOf(record.group);
    if (keyspace === undefined) return;
    const command = commandOf(owned(record), keyspace);
    if (command instanceof EntryNotApplicableError) this.notApplicable.push(command);
  }

  #takeQuarantined({ group, index, term, kind, payload }: LogEntry): void | Promise<void> {
    this.#quarantinedBytes += payload.byteLength;
    const copy = new Uint8Array(payload);
    this.#host.applier.push({ type: 'quarantined', group, index, term, kind, payload: copy });
    return this.#room();
  }

  #room(): void | Promise<void> {
    if (this.entries.bytes + this.#quarantinedBytes <= this.#host.bytesMax) return undefined;
    this.#quarantinedBytes = 0;
    return this.#host.applier.drained();
  }

  #isLive(group: number): boolean {
    return group === metadataGroup || this.#keyspaceOf(group) !== undefined;
  }

  #keyspaceOf(group: number): number | undefined {
    return shardOfGroup(this.#host.tables.state, group)?.shard.keyspace;
  }
}

/** An entry of consensus for the applier. */
export function passed({ group, index, term, kind, payload }: LogEntry): ApplyItem {
  const item = { type: 'passed', group, index, term } as const;
  if (kind !== entryKind.configuration) return item;
  return { ...item, configuration: new Uint8Array(payload) };
}

/** What is borrowed of the log, to be kept. */
const owned = (record: LogEntry): LogEntry => ({
  ...record,
  payload: copyBytes(record.payload),
});

/** The command of an entry, or why this release cannot apply it. It has views of the payload. */
export function commandOf(
  entry: Pick<LogEntry, 'group' | 'index' | 'kind' | 'payload'>,
  keyspace: number,
): Command | EntryNotApplicableError {
  const { group, index, kind, payload } = entry;
  try {
    if (kind !== entryKind.command) throw new Error(`its kind ${kind} is unknown to this release`);
    return decodeCommand(payload, keyspace);
  } catch (error) {
    return new EntryNotApplicableError(group, index, error);
  }
}
