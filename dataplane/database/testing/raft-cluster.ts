import { setImmediate as nextTurn } from 'node:timers/promises';
import { encodeUtf8 } from '../../common/bytes.ts';
import { Prng } from '../../common/prng.ts';
import { MemoryDisk } from '../../disk/memory-disk.ts';
import type { StoppedMembers } from '../../replication/stopped-member.ts';
import { RaftSource } from '../../replication/raft-source.ts';
import type { ReplicaEvent } from '../../shard/replica-care.ts';
import { openWal } from '../../wal/open-wal.ts';
import { ManualClock } from '../../wal/testing/manual-clock.ts';
import { Database } from '../database.ts';
import type { DatabaseOptions } from '../options.ts';
import { CutStore } from './cut-store.ts';
import type { StoreLeft } from './cut-store.ts';
import { plainEdits } from './edits.ts';
import { plainDocuments } from './plain-documents.ts';

/** What outlives a process. */
interface Volume {
  readonly disk: MemoryDisk;
  readonly store: CutStore;
}

interface RunningNode {
  readonly database: Database;
  readonly source: RaftSource;
}

const limits = {
  appendBytesMax: 65_536,
  inflightMessagesMax: 8,
  inflightBytesMax: 1_048_576,
  uncommittedBytesMax: 1_048_576,
  applyBytesMax: 65_536,
  promotionLagMax: 100,
};
const keyLength = 20;
const tickMs = 10;
const timing = {
  tickMs,
  heartbeatTicks: 2,
  electionTicks: 10,
  quiesceTicks: undefined,
};
/** Turns of the event loop before time passes. */
const turnsPerTick = 4;
/** More is a test that waits for what never comes. */
const ticksMax = 20_000;

export interface RaftClusterOptions {
  readonly segmentBytes?: number;
  /** Of entries that members keep in memory for others. */
  readonly memoryBytesMax?: number;
  /** In place of plain documents, whose functions tests write. */
  readonly parts?: Pick<DatabaseOptions, 'documents' | 'edits' | 'compileIndex' | 'forward'>;
  /** Between two comparisons of replicas; as a node has it when it is not given. */
  readonly compareEveryMs?: number;
}

/** Databases over real logs and Raft groups, on disks in memory, with a network and a clock of the test. */
export class RaftCluster {
  readonly clock = new ManualClock();
  readonly volumes = new Map<string, Volume>();
  readonly running = new Map<string, RunningNode>();
  /** Whoever is in here neither receives nor sends. */
  readonly isolated = new Set<string>();
  /** What nodes said of their replicas. */
  readonly events: (ReplicaEvent & { readonly node: string })[] = [];
  readonly #options: RaftClusterOptions;

  constructor(options: RaftClusterOptions = {}) {
    this.#options = options;
  }

  /** Starts a node. Without founders it joins; alone it keeps its data without Raft, as a cluster of one node does. */
  async open(
    node: string,
    founders: readonly string[] = [],
    { isAlone = false }: { readonly isAlone?: boolean } = {},
  ): Promise<Database> {
    const volume = this.volumes.get(node) ?? {
      disk: new MemoryDisk(),
      store: new CutStore(),
    };
    this.volumes.set(node, volume);
    const { clock } = this;
    const source = new RaftSource({
      node,
      founders,
      clock,
      timing,
      // The log keeps nothing for members that are away: they get a state.
      heldBytesMax: 0,
      limits: {
        ...limits,
        memoryBytesMax: this.#options.memoryBytesMax ?? 1_048_576,
      },
      chance: new Prng(node.charCodeAt(0)),
      transport: {
        send: (to, frame) => {
          const copy = Uint8Array.from(frame);
          const isRunning = (): boolean => this.running.get(node)?.source === source;
          setImmediate(() => (isRunning() ? this.#deliver(node, to, copy) : undefined));
        },
      },
    });
    const opening = Database.open({
      ...this.#common(volume),
      replicaEvent: (event) => this.events.push({ node, ...event }),
      ...(isAlone
        ? {}
        : {
            replicate: source,
            snapshotPeer: (to, part) => this.#carry(node, to, part),
          }),
    });
    const database = await this.ended(opening);
    this.running.set(node, { database, source });
    return database;
  }

  #common({ disk, store }: Volume): DatabaseOptions {
    const { clock } = this;
    const { signal } = new AbortController();
    return {
      store,
      clock,
      openLog: ({ isFirst: _isFirst, ...replay }) =>
        openWal({
          ...replay,
          disk,
          directory: '/data/wal',
          segmentBytes: this.#options.segmentBytes ?? 1_048_576,
          clock,
          random: () => 0.25,
        }),
      documents: plainDocuments,
      edits: plainEdits,
      compileIndex: (field) => (text) => {
        const value = (JSON.parse(text) as Record<string, unknown>)[field];
        return typeof value === 'string' ? [encodeUtf8(value.slice(0, keyLength))] : [];
      },
      memtableBytesMax: 1_000_000,
      cacheBytesMax: 10_000,
      ...(this.#options.compareEveryMs === undefined
        ? {}
        : { compareEveryMs: this.#options.compareEveryMs }),
      onProgress: () => undefined,
      signal,
      ...this.#options.parts,
    };
  }

  /** Works on what a stopped node has, as the tool for data directories does. */
  async stopped<T>(members: StoppedMembers, work: (database: Database) => Promise<T>): Promise<T> {
    const volume = this.volumes.get(members.node);
    if (volume === undefined) throw new Error(`${members.node} never ran`);
    const options = {
      ...this.#common(volume),
      isForRepair: true,
      replicate: members,
    };
    const database = await this.ended(Database.open(options));
    try {
      return await this.ended(work(database));
    } finally {
      await this.ended(database.stop());
      await this.kill(members.node);
    }
  }

  #deliver(from: string, to: string, frame: Uint8Array): void {
    if (this.isolated.has(from) || this.isolated.has(to) || !this.running.has(from)) return;
    this.running.get(to)?.source.groups?.receive(from, frame);
  }

  /** Parts of states that arrived; a test may lose or change them. */
  readonly carried: number[] = [];
  onPart: (part: Uint8Array) => Uint8Array = (part) => part;

  async #carry(from: string, to: string, part: Uint8Array): Promise<Uint8Array> {
    await nextTurn();
    const running = this.running.get(to);
    if (running === undefined || this.isolated.has(from) || this.isolated.has(to))
      throw new Error(`${to} is not reached`);
    const changed = this.onPart(Uint8Array.from(part));
    const answer = await running.database.snapshotRequest(changed);
    this.carried.push(part.byteLength);
    return answer;
  }

  of(node: string): Database {
    const running = this.running.get(node);
    if (running === undefined) throw new Error(`${node} does not run`);
    return running.database;
  }

  /** The power of a node fails: the next process finds what was synced, and of the store that or what was visible. */
  async kill(node: string, left: StoreLeft = 'flushed'): Promise<void> {
    this.running.delete(node);
    const { disk, store } = this.volumes.get(node) ?? {};
    if (disk === undefined || store === undefined) return;
    this.volumes.set(node, {
      disk: disk.crash(() => false),
      store: await store.reopened(left),
    });
  }

  /** Lets time pass until a condition holds. */
  async until(holds: () => boolean, what: string): Promise<void> {
    for (let ticks = 0; !holds(); ticks += 1) {
      if (ticks > ticksMax) throw new Error(`it never came about that ${what}`);
      this.clock.advance(tickMs);
      for (let turn = 0; turn < turnsPerTick; turn += 1) await nextTurn();
    }
  }

  /** Lets time pass until work has ended, in whichever way. */
  async ended<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => void (isOver = true);
    work.then(over, over);
    await this.until(() => isOver, 'a promise is settled');
    return work;
  }
}
