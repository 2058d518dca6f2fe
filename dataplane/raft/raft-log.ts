import { assert } from '../common/assert.ts';
import type { Configuration } from './configuration.ts';
import { entryBytes } from './entry.ts';
import type { Entry, EntryPosition, SnapshotPosition } from './entry.ts';

/**
 * The log of a group as the machine sees it: the term of every entry, the configurations in it, and
 * the newest entries in memory. Older entries are read from the disk by the driver of the machine.
 *
 *     snapshot | ...on disk only... | in memory, durable | in memory, not durable yet |
 *              ^snapshot.index+1    ^firstInMemory       ^durable+1                   ^last
 *
 * Invariants: applied <= committed, applied <= durable, snapshot.index <= durable <= last. What is
 * committed is never truncated: `truncate` asserts it, and `step` refuses a message that asks for it.
 */
export class RaftLog {
  snapshot: SnapshotPosition;
  committed: number;
  applied: number;
  durable: number;
  /** In the order of indexes; each run holds from `from` to the next run. */
  #terms: { readonly from: number; readonly term: number }[];
  #configurations: { readonly index: number; readonly configuration: Configuration }[];
  #entries: Entry[] = [];
  #firstInMemory: number;
  #bytes = 0;

  /** `entries` are those behind the snapshot, all durable; `applied` is where the state machine is. */
  constructor(snapshot: SnapshotPosition, entries: Iterable<Entry>, applied: number) {
    this.snapshot = snapshot;
    this.committed = Math.max(snapshot.index, applied);
    this.applied = this.committed;
    this.durable = snapshot.index;
    this.#firstInMemory = snapshot.index + 1;
    this.#terms = [{ from: snapshot.index, term: snapshot.term }];
    this.#configurations = [snapshot];
    for (const entry of entries) this.append(entry);
    this.durable = this.last;
    assert(this.applied <= this.last, 'the state machine holds no more than the log');
  }

  get last(): number {
    return this.#firstInMemory + this.#entries.length - 1;
  }

  get lastTerm(): number {
    return this.#terms.at(-1)?.term ?? 0;
  }

  /** The first index whose entry is not inside of the snapshot. */
  get first(): number {
    return this.snapshot.index + 1;
  }

  /** The newest one, committed or not (thesis 4.1). */
  get configuration(): Configuration {
    return this.newest.configuration;
  }

  get newest(): { readonly index: number; readonly configuration: Configuration } {
    return this.#configurations.at(-1) ?? this.snapshot;
  }

  /** The newest configuration at or before `index`. */
  configurationAt(index: number): Configuration {
    return (
      this.#configurations.findLast((each) => each.index <= index)?.configuration ??
      this.snapshot.configuration
    );
  }

  /** Undefined beyond the end, and inside of the snapshot but for its last entry. */
  termOf(index: number): number | undefined {
    if (index > this.last || index < this.snapshot.index) return undefined;
    let low = 0;
    let high = this.#terms.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#terms[middle]?.from ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return this.#terms[low]?.term;
  }

  matches(index: number, term: number): boolean {
    return this.termOf(index) === term;
  }

  /** Whether a candidate with this last entry has all that this log has (thesis 3.6.1). */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.last);
  }

  /** Whether this log has what was committed by a log that ended there. */
  reaches({ index, term }: EntryPosition): boolean {
    return this.lastTerm > term || (this.lastTerm === term && this.last >= index);
  }

  /** The newest entry at or before `index` whose term is at most `term`: where two logs can match. */
  meetingPoint(index: number, term: number): { readonly index: number; readonly term: number } {
    for (let at = Math.min(index, this.last); at > this.snapshot.index;) {
      const own = this.termOf(at) ?? 0;
      if (own <= term) return { index: at, term: own };
      at = (this.#terms.findLast(({ from }) => from <= at)?.from ?? at) - 1;
    }
    return { index: this.snapshot.index, term: this.snapshot.term };
  }

  append(entry: Entry): void {
    assert(entry.index === this.last + 1, 'entries of a log have no gap');
    assert(entry.term >= this.lastTerm, 'terms of a log do not fall');
    this.#entries.push(entry);
    this.#bytes += entryBytes(entry);
    if (entry.term !== this.lastTerm) this.#terms.push({ from: entry.index, term: entry.term });
    if (entry.kind === 'configuration') this.#configurations.push(entry);
  }

  /** Removes `from` and everything behind it. */
  truncate(from: number): void {
    assert(from > this.committed, 'a committed entry is never truncated');
    assert(from >= this.#firstInMemory, 'what is not committed is in memory');
    const removed = this.#entries.splice(from - this.#firstInMemory);
    for (const entry of removed) this.#bytes -= entryBytes(entry);
    this.#terms = this.#terms.filter((run) => run.from < from);
    this.#configurations = this.#configurations.filter(({ index }) => index < from);
    this.durable = Math.min(this.durable, from - 1);
  }

  /** Everything that the log has is replaced by the state at `snapshot`. */
  restore(snapshot: SnapshotPosition): void {
    assert(snapshot.index > this.committed, 'a snapshot never takes back what is committed');
    this.snapshot = snapshot;
    this.committed = snapshot.index;
    this.applied = snapshot.index;
    this.durable = snapshot.index;
    this.#entries = [];
    this.#bytes = 0;
    this.#firstInMemory = snapshot.index + 1;
    this.#terms = [{ from: snapshot.index, term: snapshot.term }];
    this.#configurations = [snapshot];
  }

  /** The log on disk begins behind `index` from now on. */
  compact(index: number): void {
    assert(index <= this.applied, 'only what is applied may be compacted');
    if (index <= this.snapshot.index) return;
    const term = this.termOf(index) ?? 0;
    this.snapshot = { index, term, configuration: this.configurationAt(index) };
    this.#terms = [{ from: index, term }, ...this.#terms.filter(({ from }) => from > index)];
    this.#configurations = [
      this.snapshot,
      ...this.#configurations.filter((each) => each.index > index),
    ];
    this.#forgetBefore(index + 1);
  }

  /** Entries that are durable, applied and beyond `bytesMax` leave the memory, oldest first. */
  shrink(bytesMax: number): void {
    let keepFrom = this.#firstInMemory;
    let bytes = this.#bytes;
    for (const entry of this.#entries) {
      if (bytes <= bytesMax || entry.index > Math.min(this.applied, this.durable)) break;
      bytes -= entryBytes(entry);
      keepFrom = entry.index + 1;
    }
    this.#forgetBefore(keepFrom);
  }

  #forgetBefore(index: number): void {
    if (index <= this.#firstInMemory) return;
    const removed = this.#entries.splice(0, index - this.#firstInMemory);
    for (const entry of removed) this.#bytes -= entryBytes(entry);
    this.#firstInMemory = index;
  }

  isInMemory(index: number): boolean {
    return index >= this.#firstInMemory;
  }

  /** Entries from `from` to `to`, which are in memory; at least one, then as many as `bytesMax` holds. */
  slice(from: number, to: number, bytesMax: number): readonly Entry[] {
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = from; index <= to; index += 1) {
      const entry = this.#entries[index - this.#firstInMemory];
      if (entry === undefined) break;
      bytes += entryBytes(entry);
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }
}
