import { hardStateKind, isEntryKind, restartKind, truncateKind } from './record.ts';
import type { WalRecord } from './record.ts';

export interface LogIndex {
  readonly term: number;
  readonly index: number;
}

/** By group, the last entry that the medium has elsewhere. Asked only for groups that the log holds or held. */
export type FlushedPositions = Pick<ReadonlyMap<number, number>, 'get'>;

/** Entries of one term, one behind the other, from `first` on. */
interface TermRun {
  readonly term: number;
  readonly first: number;
}

interface Tail {
  /** Ascending by term and by first index; empty when all entries that the log had were truncated. */
  readonly runs: TermRun[];
  last: number;
}

/**
 * Guards that each group's entries follow one another: no index is missing, no term goes back. Kept
 * as runs of terms, so that the term of the last entry is known after a truncation too.
 */
export class Continuity {
  readonly #tails = new Map<number, Tail>();
  readonly #excluded = new Set<number>();

  /** The group's entries need not follow one another any more: some of them cannot be read. */
  exclude(group: number): void {
    this.#excluded.add(group);
    this.#tails.delete(group);
  }

  /** Takes a record in; or answers what is wrong with it, and changes nothing. */
  note(record: WalRecord): string | undefined {
    if (this.#excluded.has(record.group) || record.kind === hardStateKind) return undefined;
    const tail = this.#tails.get(record.group);
    if (record.kind === truncateKind) {
      if (tail !== undefined) this.#truncate(tail, record.index);
      return undefined;
    }
    if (tail === undefined || record.kind === restartKind) {
      const runs = [{ term: record.term, first: record.index }];
      this.#tails.set(record.group, { runs, last: record.index });
      return undefined;
    }
    if (record.index !== tail.last + 1) {
      return `entry ${record.index} of group ${record.group} does not follow entry ${tail.last}`;
    }
    const term = tail.runs.at(-1)?.term ?? 0;
    if (record.term < term) {
      return `entry ${record.index} of group ${record.group} goes back from term ${term} to ${record.term}`;
    }
    if (record.term > term) tail.runs.push({ term: record.term, first: record.index });
    tail.last = record.index;
    return undefined;
  }

  /** Takes out entries that were noted last, as if they had never been. */
  forgetLast(records: readonly WalRecord[]): void {
    for (const { group, index, kind } of records.toReversed()) {
      const tail = this.#tails.get(group);
      if (tail !== undefined && isEntryKind(kind)) this.#truncate(tail, index);
    }
  }

  /** A group as it is now, to be put back when what is noted next does not become true. */
  save(group: number): () => void {
    const tail = this.#tails.get(group);
    const saved = tail === undefined ? undefined : { runs: [...tail.runs], last: tail.last };
    return () => {
      if (saved === undefined) this.#tails.delete(group);
      else this.#tails.set(group, saved);
    };
  }

  /** The last entry of a group; undefined when the log has none of it. */
  last(group: number): LogIndex | undefined {
    const tail = this.#tails.get(group);
    const term = tail?.runs.at(-1)?.term;
    return tail === undefined || term === undefined ? undefined : { term, index: tail.last };
  }

  lasts(): ReadonlyMap<number, LogIndex> {
    const lasts = new Map<number, LogIndex>();
    for (const group of this.#tails.keys()) {
      const last = this.last(group);
      if (last !== undefined) lasts.set(group, last);
    }
    return lasts;
  }

  /** Forgets the terms of entries that cannot be truncated any more: those below `flushed`. */
  forgetBelow(flushed: FlushedPositions): void {
    for (const [group, { runs }] of this.#tails) {
      const index = flushed.get(group) ?? -1;
      const needed = runs.findLastIndex((run) => run.first <= index);
      if (needed > 0) runs.splice(0, needed);
    }
  }

  #truncate(tail: Tail, from: number): void {
    if (from > tail.last) return;
    const kept = tail.runs.findLastIndex((run) => run.first < from) + 1;
    tail.runs.splice(kept);
    tail.last = from - 1;
  }
}
