import { assert } from '../common/assert.ts';
import type { Entry } from '../raft/entry.ts';
import { OutcomeUnknownError } from './errors.ts';
import { committedEntry } from './member-records.ts';
import type { GroupMachine } from './replicated-group.ts';

/** How many were handed over, and what the next one waits for. */
interface HandedOver {
  readonly count: number;
  readonly room: Promise<void> | undefined;
}

/**
 * Committed entries on their way to the machine. Guarded invariant: each index is handed over once, in order; by
 * `committed` if and only if the machine proposed it and it was not withdrawn.
 */
export class HandOver {
  readonly #machine: GroupMachine;
  /** Indexes that the machine proposed and does not know to be committed, ascending. */
  #proposed: number[] = [];
  #last: number;
  isLed = false;

  constructor(machine: GroupMachine, applied: number) {
    this.#machine = machine;
    this.#last = applied;
  }

  /** The newest entry that the machine has. */
  get last(): number {
    return this.#last;
  }

  proposed(index: number): void {
    this.#proposed.push(index);
  }

  /** As many of these, which come next, as there is room for. */
  entries(entries: readonly Entry[]): HandedOver {
    let own = 0;
    for (const [count, entry] of entries.entries()) {
      assert(entry.index === this.#last + 1, 'entries are handed over in order');
      const isOwn = this.#proposed[own] === entry.index;
      const room = isOwn || entry.kind !== 'command' ? undefined : this.#machine.roomForNext?.();
      if (room !== undefined) {
        this.#committed(own, this.#last);
        return { count, room };
      }
      this.#last = entry.index;
      if (isOwn) {
        own += 1;
        continue;
      }
      own = this.#committed(own, entry.index - 1);
      this.#machine.replicated(committedEntry(entry));
    }
    this.#committed(own, this.#last);
    return { count: entries.length, room: undefined };
  }

  /** The first `count` of those that were proposed are committed. */
  #committed(count: number, upTo: number): 0 {
    if (count > 0) {
      this.#proposed.splice(0, count);
      this.#machine.committed(upTo);
    }
    return 0;
  }

  /** Leadership was lost: what becomes of proposals from here on is unknown. */
  withdrawn(from: number): void {
    const first = this.#proposed.findIndex((index) => index >= from);
    if (first !== -1) {
      this.#proposed.splice(first);
      this.#machine.withdrawn(from, new OutcomeUnknownError());
    }
    this.led(false);
  }

  led(isLeading: boolean): void {
    if (this.isLed === isLeading) return;
    this.isLed = isLeading;
    this.#machine.led(isLeading);
  }

  /** The state of the machine was replaced. */
  installed(index: number): void {
    this.#last = index;
  }

  failed(error: Error): void {
    this.#machine.failed(error);
  }
}
