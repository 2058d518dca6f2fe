import type { Command } from '../table/command.ts';

/** What an entry that waits for the store costs in memory beside its bytes, about. */
export const entryOverheadBytes = 200;

/** An entry that the log had when it was opened and the store had not. */
export interface ReplayedEntry {
  readonly index: number;
  readonly command: Command;
  /** Called when the store shows it; whoever serves it meanwhile sets it. */
  applied(): void;
}

/**
 * Entries that were replayed and wait for the store: a node serves them from its memtable, and need not
 * wait until all are applied.
 */
export class ReplayedEntries {
  readonly #groups = new Map<number, Set<ReplayedEntry>>();
  #bytes = 0;

  /** What all of them cost in memory, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Answers what to call when the store has it. */
  add(
    group: number,
    { index, command }: { readonly index: number; readonly command: Command },
    bytes: number,
  ): () => void {
    const entries = this.#groups.get(group) ?? new Set();
    const entry: ReplayedEntry = { index, command, applied: () => undefined };
    this.#groups.set(group, entries.add(entry));
    this.#bytes += bytes;
    return () => {
      this.#bytes -= bytes;
      entries.delete(entry);
      if (entries.size === 0) this.#groups.delete(group);
      entry.applied();
    };
  }

  /** In the order of the log. */
  of(group: number): Iterable<ReplayedEntry> {
    return this.#groups.get(group) ?? [];
  }
}
