import type { NewOperation } from '../table/command.ts';
import type { CommandSession } from '../table/command-session.ts';
import type { MemtableEntry } from './memtable.ts';

/**
 * One command of a group: it is staged, proposed to the log, and then either committed or not. Guarded
 * invariant: how it ended is a value that stays, so a failure cannot get lost with a promise that nobody
 * awaits.
 */
export class Proposal {
  /** In the group's log. */
  readonly index: number;
  /** Of the leadership that it was proposed in; 0 before that. */
  term = 0;
  readonly operations: NewOperation[] = [];
  readonly entries: { readonly name: string; readonly entry: MemtableEntry }[] = [];
  /** Of the request that it carries out; undefined for one that nobody repeats. */
  session: CommandSession | undefined;
  bytes = 0;
  /** How the number of documents changes. */
  delta = 0;
  #hasEnded = false;
  /** Of those who wait, once somebody does. */
  #waiting: PromiseWithResolvers<void> | undefined;
  #failure: Error | undefined;

  constructor(index: number) {
    this.index = index;
  }

  /** It is committed, or has failed. The first call counts. */
  end(failure?: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#failure = failure;
    this.#waiting?.resolve();
  }

  /** Why it is not committed; undefined while that is open, and when it is committed. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Resolves when it is committed or has failed: `failure` tells. */
  ended(): Promise<void> {
    if (this.#hasEnded) return Promise.resolve();
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }
}

/**
 * The proposals of a group that the log has not answered, and what became of soft ones. Guarded invariants: no
 * proposal leaves before it ended; the refusal of a write that was acknowledged softly stays until a `sync`
 * reports it; a log that failed stays failed.
 */
export class Proposals {
  readonly #outstanding = new Map<number, Proposal>();
  /** Those of `outstanding` that were acknowledged softly, with the number of that acknowledgement, oldest first. */
  readonly #soft = new Map<Proposal, number>();
  #softCount = 0;
  #newestSoft: Proposal | undefined;
  #lost: Error | undefined;
  #failure: Error | undefined;
  /** Called with the first refusal of a soft write since the last `sync`. */
  readonly #softRefused: (refusal: Error) => void;

  constructor(softRefused: (refusal: Error) => void) {
    this.#softRefused = softRefused;
  }

  /** Whether readers must wait. */
  get hasSoft(): boolean {
    return this.#soft.size > 0;
  }

  /** The outstanding proposal of an index. */
  at(index: number): Proposal | undefined {
    return this.#outstanding.get(index);
  }

  add(proposal: Proposal): void {
    this.#outstanding.set(proposal.index, proposal);
  }

  acknowledgeSoftly(proposal: Proposal): void {
    if (this.at(proposal.index) !== proposal || this.#soft.has(proposal)) return;
    this.#softCount += 1;
    this.#soft.set(proposal, this.#softCount);
    this.#newestSoft = proposal;
  }

  /** Those up to an index are committed: they leave, in their order. */
  *committed(upTo: number): Iterable<Proposal> {
    for (const proposal of this.#outstanding.values()) {
      if (proposal.index > upTo) return;
      this.#leave(proposal);
      yield proposal;
      proposal.end();
    }
  }

  /** Those from an index on leave, and are answered. */
  withdraw(from: number, reason: Error): Proposal[] {
    const withdrawn = [...this.#outstanding.values()].filter(({ index }) => index >= from);
    for (const proposal of withdrawn) {
      if (this.#soft.has(proposal)) this.#lose(reason);
      this.#leave(proposal);
      proposal.end(reason);
    }
    return withdrawn;
  }

  /** Nothing is committed any more: what is outstanding stays so, and whoever waits for it receives the error. */
  failed(error: Error): void {
    this.#failure ??= error;
    for (const proposal of this.#outstanding.values()) proposal.end(error);
  }

  /** What later writers build on. */
  *entries(): Iterable<Proposal['entries'][number]> {
    for (const { entries } of this.#outstanding.values()) yield* entries;
  }

  /** Resolves when each write that was acknowledged softly before the call is committed or was refused. */
  async softEnded(): Promise<void> {
    const until = this.#softCount;
    // The log commits in order: most often nothing is left behind the newest one.
    await this.#newestSoft?.ended();
    // It refuses at once: then what came before may still wait for the disk.
    for (const [proposal, number] of this.#soft) {
      this.#requireLog();
      if (number > until) break;
      await proposal.ended();
    }
    this.#requireLog();
  }

  /**
   * Resolves when everything proposed before the call is committed or was refused. Throws the refusal of a write
   * that was acknowledged softly since the last call.
   */
  async sync(): Promise<void> {
    const proposals = [...this.#outstanding.values()];
    for (const proposal of proposals) await proposal.ended();
    this.#requireLog();
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost !== undefined) throw lost;
  }

  #requireLog(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #lose(refusal: Error): void {
    if (this.#lost === undefined) this.#softRefused(refusal);
    this.#lost = refusal;
  }

  #leave(proposal: Proposal): void {
    this.#outstanding.delete(proposal.index);
    this.#soft.delete(proposal);
    if (this.#newestSoft === proposal) this.#newestSoft = undefined;
  }
}
