import { assert } from '../common/assert.ts';
import { noBytes } from '../common/bytes.ts';
import { entryKind, logOrder } from './entry-kind.ts';
import { MustRejoinError } from './errors.ts';
import type { GroupLog, LogEntry, MemberLog } from './log.ts';
import {
  committedEntry,
  decodeConfiguration,
  encodeConfiguration,
  hardStateOf,
  hardStateRecord,
} from './member-records.ts';
import { OutsideGroup } from './outside-group.ts';
import { RecoveredGroups } from './recovered-groups.ts';
import type { RecoveredMember } from './recovered-groups.ts';
import type {
  CommittedEntry,
  Configuration,
  GroupStart,
  Position,
  Replication,
  ReplicationSource,
} from './replicated-group.ts';

/** What the member of a stopped node has of a group, as far as its own medium says. */
export interface Standing {
  readonly applied: number;
  /** What it knows to be committed; later entries may be, too. */
  readonly committed: number;
  readonly last: Position;
  readonly term: number;
  /** For whom it voted in that term. */
  readonly vote: string | undefined;
  /** The newest of its log. */
  readonly configuration: Configuration;
  /** Why the medium has less than the member had acknowledged, if it has. */
  readonly lacking: string | undefined;
}

/** Lost members may have used the terms below among themselves. */
const termsLeftOut = 1_000_000;

const isMemberLog = (log: GroupLog): log is MemberLog => 'persist' in log;

type Start = GroupStart & { readonly configuration: Configuration };

/**
 * The groups of a stopped node, for an administrator: nobody votes and nothing is sent. `succeed` begins another
 * history with this node as the only voter; it keeps all that the node has, committed or not, as a leader that was
 * elected would.
 */
export class StoppedMembers implements ReplicationSource {
  readonly node: string;
  readonly founders: readonly string[];
  readonly configurationOf = decodeConfiguration;
  readonly payloadOf = encodeConfiguration;
  readonly #recovered = new RecoveredGroups();
  readonly #members = new Map<number, RecoveredMember>();
  readonly #lacking = new Map<number, string>();
  #log: MemberLog | undefined;

  constructor({ node, founders }: Pick<ReplicationSource, 'node' | 'founders'>) {
    this.node = node;
    this.founders = founders;
  }

  recovered(record: LogEntry): void {
    this.#recovered.take(record);
  }

  open(log: GroupLog): Replication {
    assert(isMemberLog(log), 'the log of a member keeps its votes');
    this.#log = log;
    return {
      join: (group, _machine, { configuration = { voters: [], outgoing: [], learners: [] } }) =>
        new OutsideGroup(
          new MustRejoinError(group, 'the node is stopped'),
          configuration,
          () => undefined,
        ),
      leave: () => undefined,
      stop: () => Promise.resolve(),
    };
  }

  /** An error: what the member has cannot be continued. */
  standing(group: number, start: Start): Standing | MustRejoinError {
    const member = this.#memberOf(group, start);
    if (member instanceof MustRejoinError) return member;
    const { log, hardState } = member;
    return {
      applied: start.applied.index,
      committed: log.committed,
      last: { index: log.last, term: log.lastTerm },
      term: hardState.term,
      vote: hardState.vote,
      configuration: log.configuration,
      lacking: this.#lacking.get(group),
    };
  }

  /** What the log has behind the applied position. */
  behind(group: number): readonly CommittedEntry[] {
    const log = this.#members.get(group)?.log;
    if (log === undefined) return [];
    return log.slice(log.applied + 1, log.last, Number.POSITIVE_INFINITY).map(committedEntry);
  }

  /** Makes the node the only voter of groups whose standing is known; each gets the commands behind its log. */
  async succeed(groups: ReadonlyMap<number, readonly Uint8Array[]>): Promise<void> {
    const records = [...groups].flatMap(([group, commands]) => this.#recordsOf(group, commands));
    await this.#log?.persist(records);
  }

  #recordsOf(group: number, commands: readonly Uint8Array[]): LogEntry[] {
    const member = this.#members.get(group);
    assert(member !== undefined, 'a group whose standing is known');
    const { log, hardState, restart } = member;
    const term = Math.max(hardState.term, log.lastTerm) + termsLeftOut;
    const alone = encodeConfiguration({
      voters: [this.node],
      outgoing: [],
      learners: [],
    });
    const begin: LogEntry[] =
      restart === undefined
        ? []
        : [
            {
              group,
              ...positionOf(restart),
              kind: logOrder.restart,
              payload: noBytes,
            },
          ];
    const entries = [
      { kind: entryKind.configuration, payload: alone },
      ...commands.map((payload) => ({ kind: entryKind.command, payload })),
    ].map((entry, at): LogEntry => ({
      group,
      term,
      index: log.last + 1 + at,
      ...entry,
    }));
    // Nobody else has more: what it had acknowledged before is what it has.
    const voted = { term, vote: this.node, acknowledged: undefined };
    return [...begin, hardStateRecord(group, voted, log.committed), ...entries];
  }

  #memberOf(group: number, start: Start): RecoveredMember | MustRejoinError {
    const known = this.#members.get(group);
    if (known !== undefined) return known;
    assert(this.#log !== undefined, 'the log is open');
    const { recovery, damaged } = this.#log;
    const hardState = recovery.hardState(group);
    const end = Math.max(recovery.lastIndex(group)?.index ?? 0, start.applied.index);
    const { committed } = hardStateOf(hardState);
    if (committed > end) {
      this.#lacking.set(group, `entries ${end + 1} to ${committed} were committed, and are gone`);
    }
    const reachable = hardState && {
      ...hardState,
      index: Math.min(committed, end),
    };
    const member = this.#recovered.member(
      {
        damaged,
        recovery: {
          records: recovery.records,
          bytes: recovery.bytes,
          lastIndex: (of) => recovery.lastIndex(of),
          hardState: () => reachable,
        },
      },
      group,
      start,
    );
    if (!(member instanceof MustRejoinError)) this.#members.set(group, member);
    return member;
  }
}

const positionOf = ({ index, term }: Position): Position => ({ index, term });
