import { factsOf } from './damaged-segment.ts';
import { Continuity } from './continuity.ts';
import type { FlushedPositions } from './continuity.ts';
import { WalCorruptError } from './errors.ts';
import {
  asideKind,
  pathOf,
  readWhole,
  removeDurably,
  segmentName,
  sequenceOf,
  setAside,
} from './segment-file.ts';
import type { SegmentDirectory } from './segment-file.ts';
import { endPositionOf } from './segment-header.ts';
import type { SealedSegment } from './segment-appender.ts';
import { scanSegment } from './segment-scan.ts';

/** By group, the first damage that took entries of it. */
export type Damages = Map<number, WalCorruptError>;

interface KeptOptions extends SegmentDirectory {
  readonly damages: Damages;
  isDispensable(group: number): boolean;
}

/**
 * Segments that only damaged groups need: taken out of the log, so that they do not hold the ones
 * behind them, and kept until these groups are dropped. They are few: a damaged group gets no new
 * entries. Guarded invariant: what a damaged group had from its damage on is not deleted, and each
 * start finds it damaged.
 */
export class KeptSegments {
  readonly #options: KeptOptions;
  /** By file name, the groups of a damaged segment. */
  readonly #damaged = new Map<string, Iterable<number>>();
  /** Names of whole ones, behind the damage. */
  readonly #whole = new Set<string>();

  constructor(options: KeptOptions) {
    this.#options = options;
  }

  /** Finds what earlier runs kept. Rejects when the log must not be opened without what is lost. */
  async open(signal: AbortSignal): Promise<void> {
    const { disk, directory } = this.#options;
    for (const name of await disk.list(directory)) {
      const sequence = sequenceAside(name, asideKind.damaged);
      if (sequenceAside(name, asideKind.kept) !== undefined) this.#whole.add(name);
      if (sequence === undefined) continue;
      signal.throwIfAborted();
      const damage = damageIn(await readWhole(disk, pathOf(this.#options, name)), sequence);
      this.#damaged.set(name, this.note(damage));
    }
  }

  /**
   * Takes damage in, and answers the groups that it may touch; the first damage of a group stays the
   * reason. Throws it when they are not known, or the log must not be opened without one of them.
   */
  note(damage: WalCorruptError): ReadonlySet<number> {
    const { damages } = this.#options;
    const { groups } = damage;
    if (groups === undefined) throw damage;
    for (const group of groups) if (!this.#options.isDispensable(group)) throw damage;
    for (const group of groups) if (!damages.has(group)) damages.set(group, damage);
    return groups;
  }

  /** Whether everything in a segment is flushed, but for what it would be kept for. */
  isFlushed({ header, ranges }: SealedSegment, flushed: FlushedPositions): boolean {
    const end = endPositionOf(header);
    return [...ranges].every(
      ([group, { last }]) => this.#isLost(group, end) || last <= (flushed.get(group) ?? -1),
    );
  }

  /** Whether a segment has entries from the damage on, of a group that was not dropped. */
  isNeeded({ header, ranges }: SealedSegment, flushed: FlushedPositions): boolean {
    const end = endPositionOf(header);
    const isNeeded = (group: number): boolean =>
      this.#isLost(group, end) && !isDropped(group, flushed);
    return [...ranges.keys()].some(isNeeded);
  }

  /** Takes the oldest segment out of the log, durably. */
  async keep({ header, ranges, isDamaged }: SealedSegment): Promise<void> {
    const kind = isDamaged === true ? asideKind.damaged : asideKind.kept;
    const name = await setAside(this.#options, header.sequence, kind);
    if (isDamaged === true) this.#damaged.set(name, [...ranges.keys()]);
    else this.#whole.add(name);
  }

  /** Removes what was kept for groups that were dropped since. */
  async truncateFront(flushed: FlushedPositions): Promise<void> {
    const areDropped = (groups: Iterable<number>): boolean =>
      [...groups].every((group) => isDropped(group, flushed));
    for (const [name, groups] of this.#damaged) {
      if (!areDropped(groups)) continue;
      await removeDurably(this.#options, name);
      this.#damaged.delete(name);
    }
    if (this.#whole.size === 0 || !areDropped(this.#options.damages.keys())) return;
    for (const name of this.#whole) await removeDurably(this.#options, name);
    this.#whole.clear();
  }

  /** Whether entries of the group up to this position are at or behind its damage. */
  #isLost(group: number, end: number): boolean {
    return (this.#options.damages.get(group)?.place.position ?? end) < end;
  }
}

const isDropped = (group: number, flushed: FlushedPositions): boolean =>
  flushed.get(group) === Number.POSITIVE_INFINITY;

const sequenceAside = (name: string, kind: string): number | undefined =>
  name.endsWith(kind) ? sequenceOf(name.slice(0, -kind.length)) : undefined;

/** A medium may read right what it read wrong before: what was damaged once is not believed again. */
function damageIn(bytes: Uint8Array, sequence: number): WalCorruptError {
  const segment = segmentName(sequence);
  const judged = { previous: undefined, newest: false, continuity: new Continuity() };
  try {
    scanSegment(bytes, { name: segment, sequence, ...judged });
  } catch (error) {
    if (error instanceof WalCorruptError) return error;
    throw error;
  }
  const facts = factsOf(bytes, sequence);
  const place = { segment, offset: 0, position: facts?.header.basePosition ?? 0 };
  const groups = facts === undefined ? undefined : new Set(facts.ranges.keys());
  return new WalCorruptError(place, 'it was damaged before', groups);
}
