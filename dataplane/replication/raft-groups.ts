import type { Chance } from '../common/chance.ts';
import type { Clock, Timer } from '../common/clock.ts';
import { spawn } from '../common/spawn.ts';
import { noBytes } from '../common/bytes.ts';
import type { NodeId } from '../raft/configuration.ts';
import { decodeMessages } from '../raft/message-codec.ts';
import type { Message } from '../raft/message.ts';
import type { RaftOptions } from '../raft/options.ts';
import type { HardState } from '../raft/entry.ts';
import type { Raft } from '../raft/raft.ts';
import { logOrder } from './entry-kind.ts';
import { MustRejoinError } from './errors.ts';
import type { MemberLog } from './log.ts';
import { FollowerHold } from './follower-hold.ts';
import { LogFetcher } from './log-fetcher.ts';
import type { LogTrouble } from './log-pace.ts';
import { hardStateRecord } from './member-records.ts';
import { MemberWriter } from './member-writer.ts';
import type { MemberWrite } from './member-writer.ts';
import { OutsideGroup } from './outside-group.ts';
import { RaftGroup } from './raft-group.ts';
import type { Installation } from './raft-group.ts';
import { SnapshotTraffic } from './snapshot-traffic.ts';
import { TurnMessages } from './raft-transport.ts';
import type { RaftTransport } from './raft-transport.ts';
import { freshMember } from './recovered-groups.ts';
import type { RecoveredGroups, RecoveredMember } from './recovered-groups.ts';
import type {
  GroupMachine,
  GroupSnapshots,
  GroupStart,
  Position,
  ReplicatedGroup,
  Replication,
  SnapshotPosition,
} from './replicated-group.ts';

/** Times of elections and heartbeats. */
export interface RaftTiming {
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
  readonly quiesceTicks: number | undefined;
}

export type RaftLimits = Omit<
  RaftOptions,
  'id' | 'random' | 'heartbeatTicks' | 'electionTicks' | 'quiesceTicks' | 'isQuarantined'
>;

const defaultTiming: RaftTiming = {
  tickMs: 20,
  heartbeatTicks: 5,
  // 0.5 s to 1 s without a leader.
  electionTicks: 25,
  quiesceTicks: 250,
};

const defaultLimits: RaftLimits = {
  appendBytesMax: 1_048_576,
  inflightMessagesMax: 256,
  inflightBytesMax: 16 * 1_048_576,
  uncommittedBytesMax: 64 * 1_048_576,
  applyBytesMax: 4 * 1_048_576,
  // Of each group that is awake, for members that are a little behind.
  memoryBytesMax: 1_048_576,
  promotionLagMax: 1_000,
};

export interface RaftGroupsOptions {
  readonly node: NodeId;
  readonly log: MemberLog;
  readonly recovered: RecoveredGroups;
  readonly transport: RaftTransport;
  readonly clock: Clock;
  readonly chance: Pick<Chance, 'next'>;
  /** Nodes that stay out of elections where others suffice. */
  readonly isQuarantined?: (node: NodeId) => boolean;
  readonly timing?: RaftTiming;
  readonly limits?: RaftLimits;
  /** Of the log, kept for members that are behind. */
  readonly heldBytesMax?: number;
}

/** Groups that left in this life: those of dropped tables never come back. */
const leftMax = 65_536;

/** A log that takes longer for one write does not hold up what other members can make durable. */
const gatherMsMax = 20;

/**
 * Proposals wait so long at most for the commit of those before them. Those of a single client never do: it proposes
 * after that. With many clients, entries go in fewer messages and writes.
 */
const roundMsMax = 2;

/** How often the log learns what other members need. */
const holdEveryTicks = 20;

/** A state for the log, while one for the machine alone takes its place. */
const isDisturbing = (group: RaftGroup, { type }: Message): boolean =>
  type === 'snapshot' && group.isTakingState;

interface Joined {
  readonly group: RaftGroup;
  readonly snapshots: SnapshotTraffic;
}

/**
 * All groups of a node over one log, one clock and one transport. What happens during a turn of the event loop is
 * carried out together at its end: one append and one sync, and one frame for each peer.
 */
export class RaftGroups implements Replication {
  readonly #options: RaftGroupsOptions;
  readonly #timing: RaftTiming;
  readonly #joined = new Map<number, Joined>();
  /** What members promised that left in this life: a group may come back. */
  readonly #left = new Map<number, HardState>();
  readonly #touched = new Set<RaftGroup>();
  /** Groups that count ticks; a quiescent one costs nothing. */
  readonly #awake = new Set<RaftGroup>();
  /** Groups that may have entries for the log when it is free. */
  readonly #gathering = new Set<RaftGroup>();
  readonly #stopping = new AbortController();
  readonly #writer: MemberWriter;
  readonly #fetcher: LogFetcher;
  readonly #hold: FollowerHold;
  #ticks = 0;
  readonly #messages = new TurnMessages();
  #timer: Timer | undefined;
  #gatherTimer: Timer | undefined;
  #isTurnDue = false;
  #turns = 0;
  #failure: Error | undefined;

  constructor(options: RaftGroupsOptions) {
    this.#options = options;
    this.#timing = options.timing ?? defaultTiming;
    const { clock, log } = options;
    const { signal } = this.#stopping;
    const failed = (error: unknown): void => this.#fail(error);
    this.#hold = new FollowerHold(log, options.heldBytesMax);
    this.#writer = new MemberWriter(log, { clock, signal, idle: () => this.#gathered(), failed });
    const fetched = (group: RaftGroup): void => this.#touch(group);
    this.#fetcher = new LogFetcher(log, { clock, signal, fetched });
  }

  join(group: number, machine: GroupMachine, start: GroupStart): ReplicatedGroup {
    const { log, node, recovered } = this.#options;
    const configuration = start.configuration ?? { voters: [node], outgoing: [], learners: [] };
    const left = this.#left.get(group);
    const member =
      left === undefined
        ? recovered.member(log, group, { ...start, configuration })
        : freshMember(left, { ...start.applied, configuration });
    if (member instanceof MustRejoinError)
      return new OutsideGroup(member, configuration, (to, note) => this.#tell(group, to, note));
    if (member.restart !== undefined) this.#restart(group, member, member.restart);
    const joined = this.#open(group, machine, member, start.snapshots);
    this.#joined.set(group, joined);
    const { raft } = joined.group;
    const [first] = configuration.voters.toSorted();
    const isNew = member.hardState.term === 0 && first === node;
    const isAlone = configuration.voters.length === 1 && first === node;
    // Nobody else leads: there is nothing to wait for.
    if ((isNew && raft.mayStand) || isAlone) raft.campaign();
    this.#touch(joined.group);
    return joined.group;
  }

  #open(
    group: number,
    machine: GroupMachine,
    member: RecoveredMember,
    snapshots: GroupSnapshots | undefined,
  ): Joined {
    const { clock, log, node, chance, isQuarantined, limits = defaultLimits } = this.#options;
    const { heartbeatTicks, electionTicks, quiesceTicks, tickMs } = this.#timing;
    const times = { heartbeatTicks, electionTicks, quiesceTicks };
    const isUnfit = (): boolean => machine.isUnfit === true;
    const opened: RaftGroup = new RaftGroup({
      group,
      clock,
      tickMs,
      machine,
      member,
      raft: {
        ...limits,
        ...times,
        id: node,
        random: chance,
        isQuarantined,
        isUnfit,
      },
      isLogFull: () => log.full || this.#writer.isBlocked,
      room: (signal) => log.room(signal),
      tell: (to, note) => this.#tell(group, to, note),
      giveState: (to) => traffic.give(to),
      hasState: (snapshot) => snapshots?.has(snapshot) === true,
      installState: (snapshot) => this.#installState(snapshots, snapshot),
      touched: () => this.#touch(opened),
    });
    const traffic: SnapshotTraffic = new SnapshotTraffic({
      raft: opened.raft,
      clock,
      snapshots,
      send: (message) => this.#messages.add(group, message),
      touched: () => this.#touch(opened),
    });
    return { group: opened, snapshots: traffic };
  }

  /** The state of the machine is newer than the log: a restart is what the log lacks. */
  #restart(
    group: number,
    { hardState }: Pick<RecoveredMember, 'hardState'>,
    { index, term }: Position,
  ): void {
    const records = [
      hardStateRecord(group, hardState, hardState.committed),
      { group, index, term, kind: logOrder.restart, payload: noBytes },
    ];
    this.#writer.write([{ records, done: () => undefined }]);
  }

  leave(group: number): void {
    const joined = this.#joined.get(group);
    if (joined === undefined) return;
    this.#joined.delete(group);
    this.#touched.delete(joined.group);
    this.#awake.delete(joined.group);
    this.#gathering.delete(joined.group);
    this.#remember(group, joined.group.raft);
    joined.snapshots.end();
    this.#hold.leave(group);
    joined.group.leave();
  }

  /** Without its log, it must know how far that was. */
  #remember(group: number, { hardState, log }: Raft): void {
    const [oldest] = this.#left.keys();
    if (this.#left.size >= leftMax && oldest !== undefined) this.#left.delete(oldest);
    const { term, vote } = hardState;
    const acknowledged = hardState.acknowledged ?? { term: log.lastTerm, index: log.last };
    const left = { term, vote, acknowledged };
    this.#left.set(group, left);
    if (this.#stopping.signal.aborted) return;
    const records = [hardStateRecord(group, left, log.committed)];
    this.#writer.write([{ records, done: () => undefined }]);
  }

  stop(): Promise<void> {
    this.#stopping.abort(new Error('the node stops'));
    this.#timer?.cancel();
    this.#gatherTimer?.cancel();
    for (const group of this.#joined.keys()) this.leave(group);
    this.#hold.end();
    return Promise.resolve();
  }

  /** What a node sent. Throws `RaftMessageError` or `TruncatedError` for bytes that are no messages. */
  receive(from: NodeId, frame: Uint8Array): void {
    if (this.#stopping.signal.aborted) return;
    for (const { group, message } of decodeMessages(frame, { from, to: this.#options.node })) {
      const joined = this.#joined.get(group);
      if (joined === undefined) continue;
      if (message.type === 'note') joined.group.told(from, message.payload);
      else if (joined.snapshots.isExpected(message) && !isDisturbing(joined.group, message)) {
        joined.group.raft.step(message);
        this.#touch(joined.group);
      }
    }
  }

  /**
   * A node seems dead, or its connection has ended: groups that sleep look for themselves, and those that it leads elect
   * as soon as they may.
   */
  suspected(node: NodeId): void {
    for (const { group } of this.#joined.values()) {
      if (group.raft.suspect(node)) this.#touch(group);
    }
  }

  /** Why other nodes should lead what this one leads. */
  get trouble(): LogTrouble | undefined {
    return this.#writer.trouble;
  }

  /** Turns of all groups: while it stays, nothing has happened in any of them. */
  get turns(): number {
    return this.#turns;
  }

  // ---- turns ----------------------------------------------------------------------------------

  #touch(group: RaftGroup): void {
    if (this.#stopping.signal.aborted || this.#failure !== undefined) return;
    this.#touched.add(group);
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    spawn(
      async () => {
        await this.#options.clock.yield();
        this.#isTurnDue = false;
        this.#turn();
      },
      (error) => this.#fail(error),
    );
  }

  #turn(): void {
    if (this.#stopping.signal.aborted || this.#failure !== undefined) return;
    const writes: MemberWrite[] = [];
    const groups = [...this.#touched];
    this.#touched.clear();
    this.#turns += groups.length;
    const { busyMs } = this.#writer;
    const isLogBusy = busyMs !== undefined && busyMs < gatherMsMax;
    for (const group of groups) {
      const isLeft = group.turn({
        write: (write) => void writes.push(write),
        send: (message) => this.#send(group, message),
        fetch: (fetch) => this.#fetcher.fetch(group, fetch),
        install: (installation) => this.#install(group, installation),
        isLogBusy,
        gatherMsMax: roundMsMax,
      });
      if (isLogBusy || group.isHolding) this.#gathering.add(group);
      if (group.isHolding && !isLogBusy) this.#gatherLater();
      if (isLeft) this.#touch(group);
      if (!group.isAwake) this.#rest(group);
      else if (this.#joined.has(group.group)) this.#awake.add(group);
    }
    // Followers write while this node does.
    this.#messages.sendTo(this.#options.transport);
    this.#writer.write(writes);
    this.#tickLater();
  }

  #gatherLater(): void {
    this.#gatherTimer ??= this.#options.clock.timer(roundMsMax, () => {
      this.#gatherTimer = undefined;
      this.#gathered();
    });
  }

  /** The log is free, or takes too long; or what was sent does. */
  #gathered(): void {
    const groups = [...this.#gathering];
    this.#gathering.clear();
    for (const group of groups) this.#touch(group);
  }

  #rest(group: RaftGroup): void {
    group.rest();
    if (this.#joined.has(group.group)) this.#hold.update([group]);
  }

  #tickLater(): void {
    if (this.#timer !== undefined || this.#awake.size === 0) return;
    this.#timer = this.#options.clock.timer(this.#timing.tickMs, () => {
      this.#timer = undefined;
      this.#ticks += 1;
      if (this.#ticks % holdEveryTicks === 0) this.#hold.update(this.#awake);
      if ((this.#writer.busyMs ?? 0) >= gatherMsMax) this.#gathered();
      for (const group of this.#awake) {
        group.raft.tick();
        if (group.isAwake) this.#touchIfReady(group);
        else {
          this.#awake.delete(group);
          this.#touch(group);
        }
      }
      this.#tickLater();
    });
  }

  #touchIfReady(group: RaftGroup): void {
    if (group.raft.hasReady) this.#touch(group);
  }

  #send(group: RaftGroup, message: Message): void {
    if (message.type !== 'snapshot') this.#messages.add(group.group, message);
    else this.#joined.get(group.group)?.snapshots.send(message);
  }

  /** In a frame of its own. */
  #tell(group: number, to: NodeId, note: Uint8Array): void {
    const { node } = this.#options;
    if (to === node || this.#stopping.signal.aborted) return;
    const messages = new TurnMessages();
    messages.add(group, {
      type: 'note',
      from: node,
      to,
      term: 0,
      payload: note,
    });
    messages.sendTo(this.#options.transport);
  }

  async #installState(
    snapshots: GroupSnapshots | undefined,
    snapshot: SnapshotPosition,
  ): Promise<void> {
    try {
      await snapshots?.install(snapshot);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #install(group: RaftGroup, installation: Installation): void {
    const snapshots = this.#joined.get(group.group)?.snapshots;
    spawn(
      async () => {
        await snapshots?.install(installation.snapshot);
        const write = (write: MemberWrite): void => this.#writer.write([write]);
        group.installed(installation, { write });
      },
      (error) => this.#fail(error),
    );
  }

  /** The process must end: nothing is known to be durable any more. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined || this.#stopping.signal.aborted) return;
    this.#failure = error instanceof Error ? error : new Error(String(error));
    this.#timer?.cancel();
    for (const { group } of this.#joined.values()) group.failed(this.#failure);
  }
}
