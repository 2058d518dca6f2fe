import { TruncatedError } from '../common/byte-reader.ts';
import { PhotonError } from '../common/errors.ts';
import type { CommandSession } from '../table/command-session.ts';
import { sessionBytesMax } from '../table/session-table.ts';
import type { SessionRecord, SessionTable } from '../table/session-table.ts';
import { TableMessageError } from '../wire/errors.ts';
import { decodeKeptOutcomes, encodeKeptOutcomes } from '../wire/kept-outcomes.ts';
import type { EditOutcome, EditSession } from '../wire/table-edit.ts';

/** A request was sent again, and the shard no longer knows what it answered. */
export class AnswerForgottenError extends PhotonError {
  override readonly code = 'shard.answer_forgotten';
  constructor() {
    super(
      'The write was repeated, and the shard no longer has its first answer: it may have been applied, or not. Read the document before you repeat it.',
    );
  }
}

/** Not carried out, though later edits of the request were: the log had no room for it at that moment. */
const notTaken: EditOutcome = {
  result: 'failed',
  error: {
    code: 'shard.not_taken',
    message: 'The write was not carried out: the log had no room for it. Repeat the query.',
  },
};

/**
 * Requests that a router may send again. Guarded invariant: a session has one request under way at a time, and what
 * the log has of a request is answered, not carried out again.
 */
export class Retries {
  readonly #sessions: () => SessionTable;
  /** By session, the end of the request that is under way. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(sessions: () => SessionTable) {
    this.#sessions = sessions;
  }

  /** Resolves when the session has no other request under way; undefined when it has none. */
  earlier(session: EditSession | undefined): Promise<void> | undefined {
    return session === undefined ? undefined : this.#underWay.get(session.id);
  }

  /**
   * The session has this request under way until it is evaluated, which the returned function says, and all that it
   * proposed is settled.
   */
  begin(session: EditSession | undefined, settled: () => Promise<void>): () => void {
    if (session === undefined) return nothing;
    const { id } = session;
    const evaluated = Promise.withResolvers<void>();
    const ended = evaluated.promise.then(settled).then(() => {
      if (this.#underWay.get(id) === ended) this.#underWay.delete(id);
    });
    this.#underWay.set(id, ended);
    return evaluated.resolve;
  }

  /**
   * Outcomes of the first edits of a request, as far as the log has them. Throws when nobody can say any more whether
   * it was carried out. `index`: of the next entry.
   */
  known(session: EditSession | undefined, edits: number, index: number): readonly EditOutcome[] {
    if (session === undefined) return none;
    const sessions = this.#sessions();
    const record = sessions.of(session.id);
    if (record === undefined) {
      if (session.isRepeated && sessions.hasForgotten(index)) throw new AnswerForgottenError();
      return none;
    }
    if (record.sequence < session.sequence) return none;
    const outcomes = record.sequence === session.sequence ? outcomesOf(record) : undefined;
    // An old request that was under way for long, or outcomes that nobody could keep.
    if (outcomes === undefined || outcomes.length > edits) throw new AnswerForgottenError();
    return outcomes;
  }

  /** What the log keeps of outcomes, the first of which is of the edit `from`. */
  toKeep(
    { id, sequence }: EditSession,
    from: number,
    outcomes: readonly EditOutcome[],
  ): CommandSession {
    return {
      id,
      sequence,
      from,
      outcomes: encodeKeptOutcomes(outcomes, sessionBytesMax),
    };
  }
}

const none: readonly EditOutcome[] = [];
const nothing = (): void => undefined;

/** Undefined for what cannot be read. */
function outcomesOf({ answers }: SessionRecord): EditOutcome[] | undefined {
  if (answers === undefined) return undefined;
  try {
    const outcomes: EditOutcome[] = [];
    for (const answer of answers) {
      while (outcomes.length < answer.from) outcomes.push(notTaken);
      outcomes.push(...decodeKeptOutcomes(answer.outcomes));
    }
    return outcomes;
  } catch (error) {
    if (error instanceof TruncatedError || error instanceof TableMessageError) return undefined;
    throw error;
  }
}
