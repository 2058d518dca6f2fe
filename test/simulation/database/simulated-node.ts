import { Prng } from '../../../dataplane/common/prng.ts';
import { spawn } from '../../../dataplane/common/spawn.ts';
import { Database } from '../../../dataplane/database/database.ts';
import { plainEdits } from '../../../dataplane/database/testing/edits.ts';
import { plainDocuments } from '../../../dataplane/database/testing/plain-documents.ts';
import { MemoryDisk } from '../../../dataplane/disk/memory-disk.ts';
import { shardsOf } from '../../../dataplane/metadata/shards.ts';
import type { RaftLimits, RaftTiming } from '../../../dataplane/replication/raft-groups.ts';
import { RaftSource } from '../../../dataplane/replication/raft-source.ts';
import type { ShardReplica } from '../../../dataplane/shard/shard-replica.ts';
import { openWal } from '../../../dataplane/wal/open-wal.ts';
import { ProcessLife } from '../cluster/process-life.ts';
import { calmDisk } from '../cluster/simulated-node.ts';
import type { VirtualTime } from '../virtual-time.ts';
import { SimulatedRouter } from './simulated-router.ts';
import type { RouterNetwork } from './simulated-router.ts';
import { SimulatedStore } from './simulated-store.ts';
import type { StoreImage } from './simulated-store.ts';

const timing: RaftTiming = {
  tickMs: 10,
  heartbeatTicks: 4,
  electionTicks: 20,
  quiesceTicks: 60,
};

const limits: RaftLimits = {
  appendBytesMax: 2_000,
  inflightMessagesMax: 4,
  inflightBytesMax: 8_000,
  uncommittedBytesMax: 40_000,
  applyBytesMax: 4_000,
  memoryBytesMax: 2_000,
  promotionLagMax: 20,
};

/** Small, so that segments change often. */
const segmentBytes = 16_384;
const clockDrift = 0.025;

export interface ClusterOfNode {
  readonly time: VirtualTime;
  readonly random: Prng;
  send(from: string, to: string, frame: Uint8Array): void;
  /** A request with an answer. */
  request(from: string, to: string, part: Uint8Array): Promise<Uint8Array>;
  violated(error: Error): void;
  /** Of nodes with routers. */
  readonly routers?: RouterNetwork | undefined;
}

/** One machine: its disk, its store, and the process that runs on it: the real database, log and driver. */
export class SimulatedNode {
  readonly id: string;
  readonly founders: readonly string[];
  life: ProcessLife;
  isUp = false;
  database: Database | undefined;
  source: RaftSource | undefined;
  router: SimulatedRouter | undefined;
  /** Of a durable write. */
  syncMs = calmDisk;
  readonly #cluster: ClusterOfNode;
  readonly #speed: number;
  #disk = new MemoryDisk();
  #store: SimulatedStore | undefined;
  #image: StoreImage;
  #withNext: (() => void)[] = [];

  constructor(id: string, founders: readonly string[], cluster: ClusterOfNode) {
    this.id = id;
    this.founders = founders;
    this.#cluster = cluster;
    this.#speed = 1 + (cluster.random.next() * 2 - 1) * clockDrift;
    this.life = new ProcessLife(cluster.time, this.#speed);
  }

  /** The replica of a table's only shard. */
  shard(table: string): ShardReplica | undefined {
    const record = this.database?.state.tables[table];
    const group = record === undefined ? undefined : shardsOf(record)[0]?.group;
    return group === undefined ? undefined : this.database?.replica(group);
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
    const own = new Prng(this.#cluster.random.below(2 ** 32));
    const durationOf = ({ least, most }: typeof this.syncMs): number =>
      least + own.next() * (most - least);
    const disk = this.#disk;
    disk.holdBy((operation) =>
      operation === 'sync' ? life.delay(durationOf(this.syncMs)) : Promise.resolve(),
    );
    const store = await SimulatedStore.open(this.#image, life, () => durationOf(this.syncMs));
    this.#store = store;
    const source = this.#sourceOf(life, own);
    this.source = source;
    const database = await Database.open({
      store,
      clock: life,
      openLog: ({ isFirst: _isFirst, ...replay }) =>
        openWal({
          ...replay,
          disk,
          directory: '/data/wal',
          segmentBytes,
          clock: life,
          random: () => own.next(),
        }),
      documents: plainDocuments,
      edits: plainEdits,
      compileIndex: () => () => [],
      memtableBytesMax: 20_000,
      cacheBytesMax: 2_000,
      onProgress: () => undefined,
      replicate: source,
      snapshotPeer: (to, part) => this.#cluster.request(this.id, to, part),
      signal: new AbortController().signal,
    });
    if (life.isDead) return;
    this.database = database;
    const { routers: network } = this.#cluster;
    if (network !== undefined)
      this.router = new SimulatedRouter({ node: this.id, database, life, chance: own, network });
    void database.failed.then((error) => this.#failed(life, error));
  }

  #sourceOf(life: ProcessLife, own: Prng): RaftSource {
    const { id, founders } = this;
    const send = (to: string, frame: Uint8Array): void =>
      this.#cluster.send(id, to, Uint8Array.from(frame));
    const options = {
      node: id,
      founders,
      clock: life,
      chance: own,
      timing,
      limits,
    };
    return new RaftSource({
      ...options,
      heldBytesMax: 16_384,
      transport: { send },
    });
  }

  #failed(life: ProcessLife, error: Error): void {
    if (!life.isDead) this.#cluster.violated(error);
  }

  receive(from: string, frame: Uint8Array): void {
    const { life } = this;
    life.run(() => {
      this.source?.groups?.receive(from, frame);
      for (const work of this.#withNext.splice(0)) if (this.life === life) work();
    });
  }

  /** Work that comes in the same turn of the event loop as the next frame of another node. */
  withNextFrame(work: () => void): void {
    this.#withNext.push(work);
  }

  /** The power goes: what was not synced survives in parts. Or the process dies alone, and its writes stay. */
  crash(hasPower: boolean): void {
    if (!this.isUp) return;
    const { random } = this.#cluster;
    this.life.isDead = true;
    this.isUp = false;
    this.#withNext = [];
    this.#image = this.#store?.image(!hasPower && random.next() < 0.5) ?? this.#image;
    this.#store = undefined;
    this.database = undefined;
    this.source = undefined;
    this.router = undefined;
    const survival = random.next();
    this.#disk = this.#disk.crash(() => hasPower || random.next() < survival);
  }
}
