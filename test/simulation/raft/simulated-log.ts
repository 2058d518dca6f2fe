import type { Prng } from '../../../dataplane/common/prng.ts';
import type { Entry, HardState, SnapshotPosition } from '../../../dataplane/raft/entry.ts';
import type { Persist } from '../../../dataplane/raft/ready.ts';
import type { VirtualTime } from '../virtual-time.ts';
import { RegisterMachine } from './register-machine.ts';

/**
 * The medium of one node: its log, its hard state and the stored state machine. What is not synced
 * when the node crashes survives up to an arbitrary point: batches in their order, the last one torn.
 */
interface Medium {
  hardState: HardState;
  snapshot: SnapshotPosition;
  entries: Entry[];
  machine: RegisterMachine;
}

interface Pending {
  readonly persist: Persist;
  readonly machine: RegisterMachine | undefined;
  readonly done: () => void;
}

export class SimulatedLog {
  medium: Medium;
  /** Of one sync. */
  syncMs = { least: 0.2, most: 3 };
  readonly #time: VirtualTime;
  readonly #random: Prng;
  #pending: Pending[] = [];
  #isSyncing = false;
  #life = 0;

  constructor(time: VirtualTime, random: Prng, snapshot: SnapshotPosition) {
    this.#time = time;
    this.#random = random;
    this.medium = {
      hardState: { term: snapshot.term, vote: undefined, acknowledged: undefined },
      snapshot,
      entries: [],
      machine: new RegisterMachine(),
    };
  }

  /** `machine` is the transferred state when the batch holds a snapshot. */
  write(persist: Persist, machine: RegisterMachine | undefined, done: () => void): void {
    this.#pending.push({ persist, machine, done });
    this.#sync();
  }

  /** One sync at a time takes everything that waits. */
  #sync(): void {
    if (this.#isSyncing || this.#pending.length === 0) return;
    this.#isSyncing = true;
    const count = this.#pending.length;
    const life = this.#life;
    const { least, most } = this.syncMs;
    this.#time.after(least + this.#random.next() * (most - least), () => {
      if (life !== this.#life) return;
      this.#isSyncing = false;
      const synced = this.#pending.splice(0, count);
      for (const { persist, machine } of synced)
        this.#apply(persist, persist.entries.length, machine);
      for (const { done } of synced) done();
      this.#sync();
    });
  }

  #apply(persist: Persist, entryCount: number, machine: RegisterMachine | undefined): void {
    const { medium } = this;
    if (persist.hardState !== undefined) medium.hardState = persist.hardState;
    if (persist.snapshot !== undefined && machine !== undefined) {
      medium.snapshot = persist.snapshot;
      medium.machine = machine.copy();
      medium.entries = [];
    }
    const { truncateFrom, entries } = persist;
    if (truncateFrom !== undefined) {
      medium.entries = medium.entries.filter(({ index }) => index < truncateFrom);
    }
    medium.entries.push(...entries.slice(0, entryCount));
  }

  crash(): void {
    this.#life += 1;
    this.#isSyncing = false;
    const whole = this.#random.below(this.#pending.length + 1);
    this.#pending.forEach(({ persist, machine }, at) => {
      if (at < whole) this.#apply(persist, persist.entries.length, machine);
      // Torn: the records of one batch are written in their order.
      if (at === whole && persist.snapshot === undefined) {
        this.#apply(persist, this.#random.below(persist.entries.length + 1), machine);
      }
    });
    this.#pending = [];
  }

  /** The state machine reaches the medium; the log in front of it may go, but for a few entries. */
  flush(machine: RegisterMachine, snapshot: SnapshotPosition, keep: number): number {
    const { medium } = this;
    const onMedium = medium.entries.at(-1)?.index ?? medium.snapshot.index;
    if (machine.index <= medium.machine.index || machine.index > onMedium) {
      return medium.snapshot.index;
    }
    medium.machine = machine.copy();
    const upTo = Math.min(snapshot.index - keep, medium.entries.at(-1)?.index ?? 0);
    if (upTo <= medium.snapshot.index) return medium.snapshot.index;
    const last = medium.entries.findLast(({ index }) => index <= upTo);
    if (last === undefined) return medium.snapshot.index;
    const before = medium.entries.filter(
      (entry) => entry.kind === 'configuration' && entry.index <= upTo,
    );
    const newest = before.at(-1);
    const configuration =
      newest?.kind === 'configuration' ? newest.configuration : medium.snapshot.configuration;
    medium.snapshot = { index: last.index, term: last.term, configuration };
    medium.entries = medium.entries.filter(({ index }) => index > upTo);
    return upTo;
  }
}
