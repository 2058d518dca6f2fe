import type { Entry, HardState, SnapshotPosition } from '../raft/entry.ts';
import { RaftLog } from '../raft/raft-log.ts';
import { logOrder } from './entry-kind.ts';
import { MustRejoinError } from './errors.ts';
import type { LogEntry, MemberLog } from './log.ts';
import { hardStateOf, raftEntry } from './member-records.ts';
import type { KnownHardState } from './member-records.ts';
import type { Configuration, GroupStart, Position } from './replicated-group.ts';

/** What a member continues with. */
export interface RecoveredMember {
  readonly hardState: KnownHardState;
  readonly log: RaftLog;
  /** The log on the medium does not continue what the machine has: it is to begin behind it. */
  readonly restart: SnapshotPosition | undefined;
}

/**
 * Collects what the log hands out while it is opened, until the groups join. The log must hand out each group's entries
 * from `applied` on, that one included: it shows whether the log and the machine belong together.
 */
export class RecoveredGroups {
  readonly #entries = new Map<number, LogEntry[]>();

  /** To be called with each record, in the order of the log. */
  take(record: LogEntry): void {
    const { group, index, kind } = record;
    const known = this.#entries.get(group) ?? [];
    this.#entries.set(group, known);
    if (kind === logOrder.restart) known.length = 0;
    else if (kind === logOrder.truncate) while ((known.at(-1)?.index ?? -1) >= index) known.pop();
    else known.push({ ...record, payload: Uint8Array.from(record.payload) });
  }

  /** Once for each group. Entries behind `applied` are known, and not committed by being there. */
  member(
    log: Pick<MemberLog, 'recovery' | 'damaged'>,
    group: number,
    start: GroupStart & { readonly configuration: Configuration },
  ): RecoveredMember | MustRejoinError {
    const found = this.#entries.get(group) ?? [];
    this.#entries.delete(group);
    const damage = log.damaged.get(group);
    if (damage !== undefined) return new MustRejoinError(group, damage.summary);
    return memberOf({ found, group, log, start });
  }
}

interface FoundMember {
  readonly found: readonly LogEntry[];
  readonly group: number;
  readonly log: Pick<MemberLog, 'recovery'>;
  readonly start: GroupStart & { readonly configuration: Configuration };
}

function memberOf({ found, group, log, start }: FoundMember): RecoveredMember | MustRejoinError {
  const { applied, configuration } = start;
  const hardState = hardStateOf(log.recovery.hardState(group));
  const tail = log.recovery.lastIndex(group);
  const last = tail?.index ?? 0;
  if ((last > 0 || hardState.committed > 0) && isCleared(found, start))
    return freshMember(
      { ...hardState, acknowledged: acknowledgedBy(hardState, last) },
      { ...applied, configuration },
    );
  const isForeign = last < applied.index || !continues(found, applied);
  const end = isForeign ? applied.index : last;
  if (hardState.committed > end) {
    const why = `entry ${hardState.committed} was committed, and the log ends at ${end}`;
    return new MustRejoinError(group, why);
  }
  const entries = isForeign ? [] : found.map(raftEntry);
  const base = baseOf(entries, { ...applied, configuration });
  const behind = entries.filter(({ index }) => index > base.index);
  if (behind[0] !== undefined && behind[0].index !== base.index + 1) {
    return new MustRejoinError(group, `entry ${base.index + 1} is not in the log`);
  }
  const raftLog = new RaftLog(base, behind, applied.index);
  raftLog.committed = Math.max(raftLog.committed, Math.min(hardState.committed, raftLog.last));
  // A log that begins behind nothing is one that the machine has passed, too.
  const restart = isForeign && tail !== undefined ? base : undefined;
  return { hardState: inTermOf(raftLog, hardState), log: raftLog, restart };
}

/** How far the log was: nobody has said it where the node ended right after it gave the replica away. */
const acknowledgedBy = (
  { acknowledged, term, committed }: KnownHardState,
  last: number,
): Position => acknowledged ?? { term, index: Math.max(committed, last) };

/**
 * Continues behind a state, whatever the log has: this node had given its replica away, and is to have one again. It
 * votes no second time in a term.
 */
export function freshMember(hardState: HardState, state: SnapshotPosition): RecoveredMember {
  const log = new RaftLog(state, [], state.index);
  return {
    hardState: { ...hardState, committed: state.index },
    log,
    restart: state,
  };
}

/**
 * The replica had moved away, and the log has the end of what it was, or nothing any more. A member of nobody is counted
 * by nobody.
 */
const isCleared = (
  found: readonly LogEntry[],
  { applied, configuration }: FoundMember['start'],
): boolean => applied.index === 0 && found[0]?.index !== 1 && configuration.voters.length === 0;

/** What the machine has is in the log, or came right before what the log has. */
function continues(found: readonly LogEntry[], applied: Position): boolean {
  const own = found.find(({ index }) => index === applied.index);
  return own === undefined || own.term === applied.term;
}

/** Of a group that had a single member and no votes, entries alone know the term. */
function inTermOf({ lastTerm }: RaftLog, hardState: KnownHardState): KnownHardState {
  return hardState.term >= lastTerm ? hardState : { ...hardState, term: lastTerm, vote: undefined };
}

/**
 * Where the members' knowledge of the log begins: as early as the configuration is known, so that other members that
 * are a little behind need no snapshot.
 */
function baseOf(entries: readonly Entry[], applied: SnapshotPosition): SnapshotPosition {
  const before = entries.filter(({ index }) => index <= applied.index);
  const change = before.findLast(({ kind }) => kind === 'configuration');
  const base = change ?? before[0];
  if (base === undefined) return applied;
  const { index, term } = base;
  return { index, term, configuration: applied.configuration };
}
