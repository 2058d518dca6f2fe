import type { KeyspaceSum } from '../apply/apply-queue.ts';
import type { Clock } from '../common/clock.ts';
import { spawn } from '../common/spawn.ts';
import type { Damage } from '../integrity/damage.ts';
import type { ReplicatedGroup } from '../replication/replicated-group.ts';
import { decodeNote, encodeNote } from './replica-note.ts';
import type { ReplicaNote } from './replica-note.ts';
import { differs, Verification } from './verification.ts';

/** What became of replicas, for logs and metrics. */
export type ReplicaEvent =
  | { readonly type: 'compared' }
  /** Members differ, and no majority agrees: nobody can say who is right. */
  | { readonly type: 'undecided'; readonly message: string }
  | { readonly type: 'differs'; readonly message: string }
  | { readonly type: 'rebuilt'; readonly message: string };

export interface ReplicaCareOptions {
  readonly node: string;
  /** Of the shard, for sentences. */
  readonly name: string;
  readonly clock: Pick<Clock, 'now'>;
  /** Between two comparisons of the replicas of a shard that changes. */
  readonly compareEveryMs: number;
  readonly replicas: ReplicatedGroup;
  /** Why nothing of this replica may be served, if so. */
  damage(): Damage | undefined;
  /** Whether rows here cannot be read: they are refused one by one, and the others served. */
  hasBrokenRows(): boolean;
  /** From now on nothing of this replica is served. */
  readonly close: (damage: Damage) => Promise<void>;
  /** Proposes an entry at which every replica reports what it has; undefined when that is not possible now. */
  propose(): number | undefined;
  /** The last entry that the log has handed over. */
  handedOver(): number;
  /** Resolves with the last entry that the store has, when it has all that was handed over before the call. */
  readonly settled: () => Promise<number>;
  readonly happened: (event: ReplicaEvent) => void;
  readonly failed: (error: Error) => void;
}

/** A new leader compares soon: the one before may have been wrong. */
const firstComparisonMs = 10_000;
/** A member that has not reported by then is down, or behind. */
const reportsWithinMs = 60_000;
const askEveryMs = 5_000;
/** After a part of the state has arrived, the next one is expected. */
const partWithinMs = 30_000;
/** A member that has asked for a state is not to lead for so long. */
const unfitMs = 15_000;
/** Leadership that nobody takes is offered again, to another member. */
const offerEveryMs = 2_000;

/**
 * Keeps one replica of a shard equal to the others: compares them from time to time, and rebuilds the one that has
 * wrong rows from the leader. Its log is right meanwhile: it votes and takes entries, and neither leads nor answers.
 */
export class ReplicaCare {
  readonly #options: ReplicaCareOptions;
  #comparison: { readonly verification: Verification; readonly untilMs: number } | undefined;
  #compareAtMs: number | undefined;
  /** The position of the last comparison that ended. */
  #comparedIndex = 0;
  /** What this replica had at the position of the last one. */
  #own: { readonly index: number; readonly sums: readonly KeyspaceSum[] } | undefined;
  #isUndecided = false;
  /** Members with wrong rows, until when they are not to lead. */
  readonly #unfit = new Map<string, number>();
  #askAtMs = 0;
  #offers = 0;
  #offerAtMs = 0;
  #isRestoring = false;
  /** While a state is expected, the machine takes no entries. */
  #held: (PromiseWithResolvers<void> & { untilMs: number }) | undefined;

  constructor(options: ReplicaCareOptions) {
    this.#options = options;
  }

  /** Whether the rows here are known to be wrong. */
  get isUnfit(): boolean {
    return this.#options.damage() !== undefined || this.#options.hasBrokenRows();
  }

  /** Whether the members differed at the last comparison, and no majority agreed. */
  get isUndecided(): boolean {
    return this.#isUndecided;
  }

  /** Whether a member is known to have wrong rows. */
  isUnfitMember(id: string): boolean {
    return (this.#unfit.get(id) ?? 0) > this.#options.clock.now();
  }

  /** Why the next entry waits, if it does: the state that arrives has it. */
  get hold(): Promise<void> | undefined {
    return this.#held?.promise;
  }

  /** Whether other replicas have what this one may lack. */
  get isRecoverable(): boolean {
    return this.#hasOthers;
  }

  get #hasOthers(): boolean {
    const { node, replicas } = this.#options;
    return replicas.configuration.voters.some((id) => id !== node);
  }

  get #leads(): boolean {
    return this.#options.replicas.refusal === undefined;
  }

  /** To be called from time to time: with thousands of replicas, of which most are as they were, it must cost little. */
  tick(): void {
    const now = this.#options.clock.now();
    const isUnfit = this.isUnfit;
    // What was wrong may be gone by a state that the log needed, or by an entry that replaced it.
    const isHealed = !isUnfit && !this.#isRestoring;
    if (this.#held !== undefined && (isHealed || now > this.#held.untilMs)) this.#release();
    if (!isUnfit && this.#leads) {
      if (!this.#isCompared && this.#hasOthers) this.#compare(now);
    } else if (isUnfit && this.#hasOthers) this.#recover(now);
    if (this.#compareAtMs === undefined || this.#leads) return;
    this.#comparison = undefined;
    this.#compareAtMs = undefined;
    this.#isUndecided = false;
  }

  /** Nothing has come since the last comparison. */
  get #isCompared(): boolean {
    if (this.#comparison !== undefined || this.#compareAtMs === undefined) return false;
    return this.#options.replicas.nextIndex - 1 === this.#comparedIndex;
  }

  // ---- comparisons ----------------------------------------------------------------------------

  #compare(now: number): void {
    const { compareEveryMs, replicas } = this.#options;
    const { configuration, nextIndex } = replicas;
    if (this.#comparison !== undefined) {
      if (now <= this.#comparison.untilMs) return;
      this.#comparison = undefined;
    }
    this.#compareAtMs ??= now + Math.min(firstComparisonMs, compareEveryMs);
    const isChanged = nextIndex - 1 !== this.#comparedIndex;
    if (now < this.#compareAtMs || !isChanged || configuration.outgoing.length > 0) return;
    this.#compareAtMs = now + compareEveryMs;
    const index = this.#options.propose();
    if (index === undefined) return;
    this.#comparison = {
      verification: new Verification(index),
      untilMs: now + reportsWithinMs,
    };
  }

  /** The store has an entry at which the replicas are compared. */
  reached(index: number, sums: readonly KeyspaceSum[]): void {
    const { node, replicas } = this.#options;
    this.#own = { index, sums };
    if (replicas.leader.isHere) this.#reported(node, index, sums);
    else if (replicas.leader.node !== undefined)
      replicas.tell(replicas.leader.node, encodeNote({ type: 'sums', index, sums }));
  }

  #reported(member: string, index: number, sums: readonly KeyspaceSum[]): void {
    const { replicas, name, happened } = this.#options;
    const verification = this.#comparison?.verification;
    if (verification?.index !== index || !this.#leads) return;
    verification.add(member, sums);
    const verdict = verification.verdict(replicas.configuration.voters);
    if (verdict.type === 'open') return;
    if (verdict.type === 'differs') {
      this.#correct(index, verdict);
      return;
    }
    this.#comparison = undefined;
    this.#comparedIndex = index;
    this.#isUndecided = verdict.type === 'undecided';
    if (verdict.type === 'equal') happened({ type: 'compared' });
    else
      happened({
        type: 'undecided',
        message: `The replicas of ${name} differ at entry ${index}, and no majority of them agrees: nobody can say which is right. Compare them with an export of each node, and restore the table from a backup.`,
      });
  }

  /** Reports may still come: each member that differs is notified once that is known. */
  #correct(
    index: number,
    {
      wrong,
      sums,
    }: {
      readonly wrong: readonly string[];
      readonly sums: readonly KeyspaceSum[];
    },
  ): void {
    const { node, replicas } = this.#options;
    if (wrong.includes(node)) {
      this.#comparison = undefined;
      this.#condemned(index, sums);
      return;
    }
    for (const id of wrong) replicas.tell(id, encodeNote({ type: 'differs', index, sums }));
  }

  /** A majority has something else. */
  #condemned(index: number, sums: readonly KeyspaceSum[]): void {
    const own = this.#own;
    if (own?.index !== index || !differs(own.sums, sums) || !this.#hasOthers) return;
    this.#own = undefined;
    const { name, close, happened, failed } = this.#options;
    const message = `This replica of ${name} differs from a majority of the others at entry ${index} of its log: it is rebuilt from the leader.`;
    happened({ type: 'differs', message });
    this.#askAtMs = 0;
    spawn(
      () => close({ code: 'replication.replica_differs', message }),
      (error) => failed(error as Error),
    );
  }

  // ---- recovery -------------------------------------------------------------------------------

  #recover(now: number): void {
    const { replicas } = this.#options;
    if (this.#leads) {
      this.#offer(now);
      return;
    }
    const { node, isHere } = replicas.leader;
    if (node === undefined || isHere || now < this.#askAtMs) return;
    this.#askAtMs = now + askEveryMs;
    this.#expect(now + askEveryMs);
    replicas.tell(node, encodeNote({ type: 'wanted', index: this.#options.handedOver() }));
  }

  /** Each time to another member: one that is down takes nothing. */
  #offer(now: number): void {
    const { node, replicas } = this.#options;
    if (now < this.#offerAtMs) return;
    this.#offerAtMs = now + offerEveryMs;
    const { configuration, matches } = replicas;
    const others = configuration.voters
      .filter((id) => id !== node && !this.isUnfitMember(id))
      .toSorted((one, other) => (matches.get(other) ?? 0) - (matches.get(one) ?? 0));
    const to = others[this.#offers % Math.max(1, others.length)];
    this.#offers += 1;
    if (to !== undefined) replicas.transferLeadership(to);
  }

  #expect(untilMs: number): void {
    if (this.#held === undefined) this.#held = { ...Promise.withResolvers<void>(), untilMs };
    else this.#held.untilMs = Math.max(this.#held.untilMs, untilMs);
  }

  #release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** A part of a state has come. */
  partArrived(): void {
    if (!this.isUnfit) return;
    const untilMs = this.#options.clock.now() + partWithinMs;
    this.#expect(untilMs);
    this.#askAtMs = untilMs;
  }

  // ---- notes ----------------------------------------------------------------------------------

  told(from: string, bytes: Uint8Array): void {
    const note = decodeNote(bytes);
    if (note !== undefined) this.#take(from, note);
  }

  #take(from: string, note: ReplicaNote): void {
    const { replicas, failed } = this.#options;
    const isFromLeader = replicas.leader.node === from;
    switch (note.type) {
      case 'sums':
        this.#reported(from, note.index, note.sums);
        return;
      case 'differs':
        if (isFromLeader) this.#condemned(note.index, note.sums);
        return;
      case 'wanted':
        spawn(
          () => this.#give(from, note.index),
          (error) => failed(error as Error),
        );
        return;
      case 'arrived':
        if (isFromLeader && this.isUnfit)
          spawn(
            () => this.#restore(note),
            (error) => failed(error as Error),
          );
    }
  }

  /** Of a leader: a member has asked for the state, and has handed over this much. */
  async #give(to: string, index: number): Promise<void> {
    const { replicas, settled, clock } = this.#options;
    this.#unfit.set(to, clock.now() + unfitMs);
    const { voters, outgoing, learners } = replicas.configuration;
    const isMember = [...voters, ...outgoing, ...learners].includes(to);
    if (!this.#leads || !isMember || this.isUnfit) return;
    // Behind what the member has, the state would be of no use.
    if ((await settled()) < index) return;
    const position = await replicas.giveState(to);
    if (position !== undefined) replicas.tell(to, encodeNote({ type: 'arrived', position }));
  }

  async #restore({ position }: Extract<ReplicaNote, { type: 'arrived' }>): Promise<void> {
    const { replicas, happened, name } = this.#options;
    this.#isRestoring = true;
    let isTaken: boolean;
    try {
      isTaken = await replicas.takeState(position);
    } finally {
      this.#isRestoring = false;
    }
    if (!isTaken) return;
    this.#own = undefined;
    this.#release();
    const message = `The replica of ${name} was rebuilt from the leader, as of entry ${position.index} of its log.`;
    happened({ type: 'rebuilt', message });
  }
}
