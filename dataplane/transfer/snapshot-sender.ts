import type { Clock, Timer } from '../common/clock.ts';
import { PhotonError } from '../common/errors.ts';
import { decodeAnswer, encodePart } from './snapshot-message.ts';
import type { NumberedPart, SnapshotAnswer } from './snapshot-message.ts';
import type { SnapshotPlace, SnapshotState } from './snapshot-state.ts';

/** Carries a part to a node and its answer back. */
export type SnapshotPeer = (
  to: string,
  request: Uint8Array,
  signal: AbortSignal,
) => Promise<Uint8Array>;

export interface SnapshotSenderOptions {
  readonly group: number;
  /** Of this node and life: begins the names of sessions. */
  readonly name: string;
  readonly peer: SnapshotPeer;
  readonly clock: Pick<Clock, 'timer' | 'yield'>;
  /** Begins a walk over the state of now. */
  begin(): SnapshotState;
  /** The last entry that the state of now has. */
  position(): number;
}

/** The receiver asks for another walk each time, or for the same part. */
class SnapshotRefusedError extends PhotonError {
  override readonly code = 'replication.snapshot_refused';
}

/** The receiver was not reached. */
class SnapshotInterruptedError extends PhotonError {
  override readonly code = 'replication.snapshot_interrupted';
  constructor(to: string, cause: unknown) {
    super(`Node ${to} does not answer: the state of the shard is sent later.`, { cause });
  }
}

/** One walk over the state for one receiver. */
interface Session {
  readonly id: string;
  readonly state: SnapshotState;
  /** Not answered yet, oldest first. */
  waiting: NumberedPart[];
  sent: number;
  end: SnapshotPlace | undefined;
  expiry: Timer | undefined;
}

/** What a walk keeps in memory is kept so long for a receiver that does not answer. */
const idleMs = 60_000;
/** A part is on the medium of its receiver by then, or the receiver is gone. */
const answerMs = 30_000;
const damagedMax = 5;

/**
 * Sends the state of one group to members that are behind the log. Guarded invariant: a part leaves only when the
 * receiver has answered it, so a transfer that was interrupted continues where it was.
 */
export class SnapshotSender {
  readonly #options: SnapshotSenderOptions;
  readonly #sessions = new Map<string, Session>();
  /** By receiver: behind this entry the log is kept, so that the receiver can go on where its state ends. */
  readonly #holds = new Map<string, { readonly index: number; readonly timer: Timer }>();
  #count = 0;

  constructor(options: SnapshotSenderOptions) {
    this.#options = options;
  }

  /** Resolves with the position of the state when the receiver has all of it on its medium. */
  async send(to: string, signal: AbortSignal): Promise<SnapshotPlace> {
    const session = this.#sessions.get(to) ?? this.#begin(to);
    this.#hold(to);
    session.expiry?.cancel();
    try {
      const end = await this.#sendAll(session, to, signal);
      this.#end(to);
      this.#hold(to);
      return end;
    } catch (error) {
      // Of what is on its way nothing is lost: the next call goes on.
      if (error instanceof SnapshotInterruptedError && !signal.aborted)
        session.expiry = this.#options.clock.timer(idleMs, () => this.#end(to, session));
      else this.#end(to);
      throw error;
    }
  }

  close(): void {
    for (const to of this.#sessions.keys()) this.#end(to);
    for (const to of this.#holds.keys()) this.#release(to);
  }

  /** The last entry that the log may let go of; undefined when no receiver waits for more. */
  get heldFrom(): number | undefined {
    const indexes = [...this.#holds.values()].map(({ index }) => index);
    return indexes.length === 0 ? undefined : Math.min(...indexes);
  }

  /** For a while from now on. */
  #hold(to: string): void {
    const index = this.#holds.get(to)?.index ?? this.#options.position();
    this.#release(to);
    const timer = this.#options.clock.timer(idleMs, () => this.#release(to));
    this.#holds.set(to, { index, timer });
  }

  #release(to: string): void {
    this.#holds.get(to)?.timer.cancel();
    this.#holds.delete(to);
  }

  #begin(to: string): Session {
    this.#count += 1;
    this.#release(to);
    const id = `${this.#options.name}/${this.#count}`;
    const state = this.#options.begin();
    const made = { id, state, waiting: [], sent: 0, end: undefined, expiry: undefined };
    this.#sessions.set(to, made);
    return made;
  }

  #end(to: string, only?: Session): void {
    const session = this.#sessions.get(to);
    if (session === undefined || (only !== undefined && only !== session)) return;
    session.expiry?.cancel();
    session.state.close();
    this.#sessions.delete(to);
  }

  async #sendAll(session: Session, to: string, signal: AbortSignal): Promise<SnapshotPlace> {
    let damaged = 0;
    for (;;) {
      // Requests get their turn between two parts.
      await this.#options.clock.yield();
      signal.throwIfAborted();
      const part = this.#next(session);
      if (part === undefined) {
        if (session.end !== undefined) return session.end;
        continue;
      }
      const answer = await this.#ask(to, part, signal);
      if (answer.type === 'damaged') {
        damaged += 1;
        if (damaged > damagedMax) throw new SnapshotRefusedError('Parts of it arrive damaged.');
      } else if (answer.type === 'next' && answer.number === part.number + 1) {
        session.waiting.shift();
      } else {
        throw new SnapshotRefusedError('The receiver wants the state from its beginning.');
      }
    }
  }

  async #ask(to: string, part: NumberedPart, signal: AbortSignal): Promise<SnapshotAnswer> {
    const { clock, peer } = this.#options;
    const late = Promise.withResolvers<never>();
    const timer = clock.timer(answerMs, () => late.reject(new Error('no answer came in time')));
    try {
      return decodeAnswer(await Promise.race([peer(to, encodePart(part), signal), late.promise]));
    } catch (error) {
      throw new SnapshotInterruptedError(to, error);
    } finally {
      timer.cancel();
    }
  }

  #next(session: Session): NumberedPart | undefined {
    if (session.waiting.length > 0 || session.end !== undefined) return session.waiting[0];
    const { group } = this.#options;
    const { parts, end } = session.state.next();
    session.end = end;
    session.waiting = parts.map((part) => {
      const number = session.sent;
      session.sent += 1;
      return { ...part, group, session: session.id, number };
    });
    return session.waiting[0];
  }
}
