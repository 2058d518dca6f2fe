import { isValid } from './configuration.ts';
import type { AppendReply, AppendRequest, SnapshotRequest } from './message.ts';
import type { Persistence } from './persistence.ts';
import type { RaftLog } from './raft-log.ts';

/**
 * What a follower does with its leader's log (thesis 3.5). Guarded invariant: what is committed here is
 * never contradicted; a message that would do so is not believed and gets no answer.
 */
interface FollowerLog {
  readonly log: RaftLog;
  readonly persistence: Persistence;
}

type ReplyBody = Omit<AppendReply, 'from' | 'to' | 'term'>;

const accepted = (index: number): ReplyBody => ({
  type: 'appendReply',
  isRejected: false,
  index,
  hintIndex: 0,
  hintTerm: 0,
});

/** The leader's log and this one do not match at `index`; they may at the hint. */
export function rejected(log: RaftLog, index: number, term: number): ReplyBody {
  const hint = log.meetingPoint(index, term);
  return {
    type: 'appendReply',
    isRejected: true,
    index,
    hintIndex: hint.index,
    hintTerm: hint.term,
  };
}

/** Everything up to `index` is committed, as the leader says of what this log has. */
export function commitUpTo(log: RaftLog, index: number): void {
  log.committed = Math.max(log.committed, index);
}

/** Undefined: the message is not believed. */
export function takeAppend(
  { log, persistence }: FollowerLog,
  request: AppendRequest,
): ReplyBody | undefined {
  const { previousIndex, previousTerm, entries } = request;
  if (!isChain(request)) return undefined;
  if (previousIndex < log.committed) return accepted(log.committed);
  if (!log.matches(previousIndex, previousTerm)) return rejected(log, previousIndex, previousTerm);
  for (const entry of entries) {
    if (log.matches(entry.index, entry.term)) continue;
    if (entry.index <= log.committed) return undefined;
    if (entry.index <= log.last) persistence.truncate(entry.index);
    persistence.append(entry);
  }
  const last = previousIndex + entries.length;
  commitUpTo(log, Math.min(request.committed, last));
  return accepted(last);
}

/** What a correct leader sends: entries one behind the other, whose terms rise to its own at most. */
function isChain({ term, previousIndex, previousTerm, entries }: AppendRequest): boolean {
  let newest = previousTerm;
  return entries.every((entry, position) => {
    const follows = entry.index === previousIndex + 1 + position;
    const rises = entry.term >= newest && entry.term <= term;
    newest = entry.term;
    const isSound = entry.kind !== 'configuration' || isValid(entry.configuration);
    return follows && rises && isSound;
  });
}

/** The state as of the snapshot has arrived beside the message; `isRestored`: it replaces this one's. */
export function takeSnapshot(
  { log, persistence }: FollowerLog,
  { snapshot }: SnapshotRequest,
): { readonly reply: ReplyBody; readonly isRestored: boolean } {
  if (snapshot.index <= log.committed || !isValid(snapshot.configuration)) {
    return { reply: accepted(log.committed), isRestored: false };
  }
  if (log.matches(snapshot.index, snapshot.term)) {
    // The log has it all: only the knowledge that it is committed was missing.
    commitUpTo(log, snapshot.index);
    return { reply: accepted(snapshot.index), isRestored: false };
  }
  persistence.restore(snapshot);
  return { reply: accepted(snapshot.index), isRestored: true };
}
