import type { MetadataState } from '../metadata/state.ts';
import { decodeCommand } from '../table/command.ts';
import { metadataGroup, readApplied } from './applier.ts';
import type { Applier } from './applier.ts';
import type { ApplyStore, GroupLog, LogEntry } from './contract.ts';
import { gapInReplay, logBehindStore, unknownGroup } from './errors.ts';
import { replayMetadata } from './metadata-group.ts';
import { ReplayedEntries } from './replayed.ts';
import { entryOverheadBytes } from './table-group.ts';

export interface ReplayHost {
  readonly store: ApplyStore;
  readonly applier: Applier;
  /** So much may be taken in before the store has it. */
  readonly bytesMax: number;
  /** The metadata as far as it was taken in. */
  state(): MetadataState;
  adopt(state: MetadataState): void;
}

/**
 * Takes in what the log has and the store has not, when a node starts. Guarded invariant: each group goes on
 * exactly where the store stands; a log or a store that is not the other one's throws a `ReplayError`.
 */
export class Replay {
  /** What waits for the store, to be served meanwhile. */
  readonly entries = new ReplayedEntries();
  readonly #host: ReplayHost;
  /** By group, what was taken in last. */
  readonly #last = new Map<number, number>();

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

  /** In the order of the log. The next one waits for what is answered. */
  take(record: LogEntry): void | Promise<void> {
    const { group, index } = record;
    const { nextKeyspace } = this.#host.state();
    if (group >= nextKeyspace) throw unknownGroup(group, nextKeyspace);
    const before = this.last(group);
    // Entries of a dropped table may have been let go of in any number.
    if (index !== before + 1 && this.#isLive(group)) throw gapInReplay(group, before, index);
    this.#last.set(group, index);
    if (group === metadataGroup) this.#takeMetadata(record);
    else this.#takeCommand(record);
    const isTooMuch = this.entries.bytes > this.#host.bytesMax;
    return isTooMuch ? this.#host.applier.drained() : undefined;
  }

  /** A log that ends before what the store has is not this store's log. */
  requireEnd({ recovery }: GroupLog): void {
    for (const group of [metadataGroup, ...this.#tableGroups()]) {
      const applied = this.applied(group);
      const end = recovery.lastIndex(group)?.index ?? applied;
      if (end < applied) throw logBehindStore(group, end, applied);
    }
  }

  #takeMetadata({ index, payload }: LogEntry): void {
    const state = replayMetadata(this.#host.state(), payload);
    this.#host.adopt(state);
    this.#host.applier.push({ type: 'metadata', index, state });
  }

  #takeCommand({ group, index, payload }: LogEntry): void {
    const command = decodeCommand(new Uint8Array(payload));
    const bytes = payload.byteLength + command.operations.length * entryOverheadBytes;
    const applied = this.entries.add(group, { index, command }, bytes);
    this.#host.applier.push({ type: 'table', group, index, command, applied });
  }

  #isLive(group: number): boolean {
    return group === metadataGroup || this.#tableGroups().includes(group);
  }

  #tableGroups(): number[] {
    return Object.values(this.#host.state().tables).map(({ keyspace }) => keyspace);
  }
}
