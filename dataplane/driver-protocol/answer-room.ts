import { errorType, RuntimeError } from '../query/errors.ts';
import type { ProtocolLimits } from './limits.ts';

/** Answers that are made as a whole, and clients that do not read them. */
export interface UnreadAnswers {
  readonly limits: ProtocolLimits;
  /** Of answers that the client has not taken. */
  readonly queuedBytes: () => number;
  /** The same of all clients. */
  readonly allQueuedBytes: () => number;
}

/** Throws when an answer of this size does not fit beside those that wait already. */
export function requireRoom(
  { limits, queuedBytes, allQueuedBytes }: UnreadAnswers,
  bytes: number,
): void {
  const { smallAnswerBytes, wholeAnswersBytesMax, allAnswersBytesMax } = limits;
  if (bytes <= smallAnswerBytes) return;
  const waiting = queuedBytes();
  if (waiting > 0 && waiting + bytes > wholeAnswersBytesMax)
    throw dropped(bytes, { waiting, most: wholeAnswersBytesMax, whose: 'this client' });
  const all = allQueuedBytes();
  if (all > 0 && all + bytes > allAnswersBytesMax)
    throw dropped(bytes, { waiting: all, most: allAnswersBytesMax, whose: 'all clients' });
}

interface Unread {
  readonly waiting: number;
  readonly most: number;
  readonly whose: string;
}

const dropped = (bytes: number, { waiting, most, whose }: Unread): RuntimeError =>
  new RuntimeError(
    errorType.resourceLimit,
    `The answer has ${bytes} bytes, and ${waiting} bytes of other answers wait for ${whose}, of ${most} at most: it was dropped. Ask for less at once; what the query has written stays.`,
    [],
  );
