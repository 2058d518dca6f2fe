import { Prng } from '../../../dataplane/common/prng.ts';
import { spawn } from '../../../dataplane/common/spawn.ts';
import { MemoryDisk } from '../../../dataplane/disk/memory-disk.ts';
import { RaftGroups } from '../../../dataplane/replication/raft-groups.ts';
import type { RaftLimits, RaftTiming } from '../../../dataplane/replication/raft-groups.ts';
import { RecoveredGroups } from '../../../dataplane/replication/recovered-groups.ts';
import type { Configuration } from '../../../dataplane/replication/replicated-group.ts';
import { openWal } from '../../../dataplane/wal/open-wal.ts';
import type { Wal } from '../../../dataplane/wal/wal.ts';
import { RegisterMachine } from '../raft/register-machine.ts';
import type { VirtualTime } from '../virtual-time.ts';
import { ProcessLife } from './process-life.ts';
import { Replica } from './replica.ts';
import type { Applied, Stored } from './replica.ts';

const timing: RaftTiming = {
  tickMs: 10,
  heartbeatTicks: 4,
  electionTicks: 20,
  quiesceTicks: 60,
};

const limits: RaftLimits = {
  appendBytesMax: 1_000,
  inflightMessagesMax: 4,
  inflightBytesMax: 4_000,
  uncommittedBytesMax: 20_000,
  applyBytesMax: 2_000,
  memoryBytesMax: 1_500,
  promotionLagMax: 5,
};

/** How long a durable write takes, without a fault. */
export const calmDisk = { least: 0.1, most: 2 };

/** Small, so that segments change often. */
const segmentBytes = 8_192;
/** Clocks of two nodes differ in speed by at most twice this. */
const clockDrift = 0.025;

export interface ClusterOfNode {
  readonly time: VirtualTime;
  readonly random: Prng;
  readonly groups: readonly number[];
  /** Of new groups. */
  readonly configuration: Configuration;
  send(from: string, to: string, frame: Uint8Array): void;
  transfer(from: string, to: string, group: number, state: Stored): Promise<void>;
  applied(node: SimulatedNode, group: number, applied: Applied): void;
  violated(error: Error): void;
}

/** One machine: its disk, its store, and the process that runs on it: the real log and the real driver. */
export class SimulatedNode {
  readonly id: string;
  life: ProcessLife;
  replicas = new Map<number, Replica>();
  /** Of a durable write. */
  syncMs = calmDisk;
  isUp = false;
  /** Whom it believes to be quarantined; nodes may differ. */
  readonly quarantined = new Set<string>();
  groups: RaftGroups | undefined;
  #wal: Wal | undefined;
  readonly #cluster: ClusterOfNode;
  readonly #speed: number;
  #disk = new MemoryDisk();
  readonly #stored = new Map<number, Stored>();
  readonly #arrived = new Map<number, Map<number, Stored>>();

  constructor(id: string, cluster: ClusterOfNode) {
    this.id = id;
    this.#cluster = cluster;
    this.#speed = 1 + (cluster.random.next() * 2 - 1) * clockDrift;
    this.life = new ProcessLife(cluster.time, this.#speed);
    const { configuration } = cluster;
    for (const group of cluster.groups) {
      const applied = { index: 0, term: 0 };
      this.#stored.set(group, { machine: new RegisterMachine(), applied, configuration });
      this.#arrived.set(group, new Map());
    }
  }

  start(): void {
    if (this.isUp) return;
    this.isUp = true;
    const life = new ProcessLife(this.#cluster.time, this.#speed);
    this.life = life;
    spawn(
      () => this.#start(life),
      (error) => this.#failed(life, error as Error),
    );
  }

  async #start(life: ProcessLife): Promise<void> {
    const { random } = this.#cluster;
    const own = new Prng(random.below(2 ** 32));
    const disk = this.#disk;
    disk.holdBy((operation) => {
      if (operation !== 'sync') return Promise.resolve();
      const { least, most } = this.syncMs;
      return life.delay(least + own.next() * (most - least));
    });
    const recovered = new RecoveredGroups();
    const extra = own.below(10);
    const wal = await openWal({
      disk,
      directory: '/data/wal',
      segmentBytes,
      clock: life,
      random: () => own.next(),
      replayFrom: (group) => this.#storedOf(group).applied.index - 1 - extra,
      onRecord: (record) => recovered.take(record),
      onProgress: () => undefined,
      signal: new AbortController().signal,
    });
    if (life.isDead) return;
    this.#wal = wal;
    void wal.failed.then((error) => this.#failed(life, error));
    this.#join(life, own, recovered);
    this.#flushLater(life, own);
  }

  #join(life: ProcessLife, own: Prng, recovered: RecoveredGroups): void {
    const { id } = this;
    const cluster = this.#cluster;
    const groups = new RaftGroups({
      node: id,
      log: this.#wal as Wal,
      recovered,
      transport: { send: (to, frame) => cluster.send(id, to, Uint8Array.from(frame)) },
      clock: life,
      chance: own,
      timing,
      limits,
      heldBytesMax: segmentBytes,
      isQuarantined: (node) => this.quarantined.has(node),
    });
    this.replicas = new Map();
    for (const group of cluster.groups) {
      const stored = this.#storedOf(group);
      const replica = new Replica(stored, this.#arrivedOf(group), {
        applied: (applied) => cluster.applied(this, group, applied),
        failed: (error) => this.#failed(life, error),
        transfer: (to, state) => cluster.transfer(id, to, group, state),
      });
      const { applied, configuration } = stored;
      replica.group = groups.join(group, replica, { applied, configuration, snapshots: replica });
      if (replica.group.mustRejoin !== undefined) this.#failed(life, replica.group.mustRejoin);
      this.replicas.set(group, replica);
    }
    this.groups = groups;
  }

  #storedOf(group: number): Stored {
    return this.#stored.get(group) as Stored;
  }

  #arrivedOf(group: number): Map<number, Stored> {
    return this.#arrived.get(group) as Map<number, Stored>;
  }

  /** A state has arrived, whole. */
  take(group: number, state: Stored): void {
    this.#arrivedOf(group).set(state.applied.index, state);
  }

  #failed(life: ProcessLife, error: Error): void {
    if (!life.isDead) this.#cluster.violated(error);
  }

  /** The store takes what was handed over, and the log lets go of it, but for some entries. */
  #flushLater(life: ProcessLife, own: Prng): void {
    life.timer(50 + own.below(400), () => {
      const positions = new Map<number, number>();
      for (const [group, replica] of this.replicas) {
        if (own.next() < 0.7) replica.flush();
        this.#stored.set(group, replica.stored);
        positions.set(group, replica.stored.applied.index - own.below(15));
      }
      spawn(
        () => this.#wal?.truncateFront(positions) ?? Promise.resolve(),
        (error) => this.#failed(life, error as Error),
      );
      this.#flushLater(life, own);
    });
  }

  receive(from: string, frame: Uint8Array): void {
    this.life.run(() => this.groups?.receive(from, frame));
  }

  /** The power goes: what was not synced survives in parts. Or the process dies alone, and its writes stay. */
  crash(hasPower: boolean): void {
    if (!this.isUp) return;
    const { random } = this.#cluster;
    this.life.isDead = true;
    this.isUp = false;
    for (const [group, { stored }] of this.replicas) this.#stored.set(group, stored);
    this.replicas = new Map();
    this.groups = undefined;
    this.#wal = undefined;
    const survival = random.next();
    this.#disk = this.#disk.crash(() => hasPower || random.next() < survival);
  }
}
