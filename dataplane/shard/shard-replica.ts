import { readApplied } from '../apply/applied-position.ts';
import type { Applier } from '../apply/applier.ts';
import type { ReplayedEntry } from '../apply/replayed.ts';
import { NotLeaderError } from '../replication/errors.ts';
import type { Damage, DamagedGroups } from '../integrity/damage.ts';
import { TableDamagedError } from '../integrity/errors.ts';
import type { ApplyStore } from '../kv/store.ts';
import type { GroupStart, ReplicatedGroup, Replication } from '../replication/replicated-group.ts';
import type { AppliedIndex } from '../table/apply.ts';
import type { StorageCorruptError } from '../table/errors.ts';
import type { ReadMode, Row } from '../wire/table-access.ts';
import type { ShardEngine } from '../wire/shard-engine.ts';
import type { EditBatch, EditOutcome } from '../wire/table-edit.ts';
import type { UnappliedKeys } from './direct-reads.ts';
import type { GroupDocuments } from './document-cache.ts';
import { ShardDocuments } from './documents.ts';
import type { MemtableBudget } from './memtable-budget.ts';
import { Memtable } from './memtable.ts';
import { Proposer } from './proposer.ts';
import { ReplicaCare } from './replica-care.ts';
import type { ReplicaCareOptions } from './replica-care.ts';
import type { WriteGate } from './write-gate.ts';
import { WritePath } from './write-path.ts';
import type { ProposedEdits } from './write-path.ts';

export interface ShardReplicaOptions {
  readonly group: number;
  /** Of the rows. */
  readonly keyspace: number;
  /** Among the table's shards. */
  readonly place: { readonly at: number; readonly of: number };
  /** `database.table`, for sentences. */
  readonly name: string;
  /** The field of a document that holds its key. */
  readonly primaryKey: string;
  readonly store: ApplyStore;
  readonly replication: Replication;
  readonly applier: Applier;
  readonly budget: MemtableBudget;
  /** Documents that were read by their key. */
  readonly cache: GroupDocuments;
  /** The members of a new group, or as of the applied position; without it the node is alone. */
  readonly membership?: Omit<GroupStart, 'applied'>;
  readonly edits: ShardEngine;
  /** A command is closed when it holds so many bytes. */
  readonly commandBytesMax: number;
  /** Asked before anything of the group is read or written. */
  readonly damagedGroups: DamagedGroups;
  /** Receives the keys of writes that the store does not have; undefined when nobody reads the store directly. */
  readonly unapplied: UnappliedKeys | undefined;
  /** Indexes of the table now. */
  indexes(): readonly AppliedIndex[];
  /** What the log had when it was opened, and the store may have by now. */
  readonly replayed: Iterable<ReplayedEntry>;
  /** Documents of versions up to this one were never checked. */
  readonly unchecked: { readonly version: number };
  /** Why stored text is no document of its key, as the end of a sentence; undefined for one. */
  problemOf(text: string, key: Uint8Array): string | undefined;
  /** Called with what the log has and nobody can apply: the shard is closed, and its entries are kept. */
  notApplicable(damage: Damage): void;
  /** Ends waits for room. */
  readonly signal: AbortSignal;
  /** Of a shard with replicas on other nodes. */
  readonly care?: ReplicaCareHost | undefined;
  /** Called with every damaged value that a read met. */
  damaged(error: StorageCorruptError): void;
  /** Called with the first refusal of a soft write since the last `sync`. */
  softRefused(refusal: Error): void;
}

/** Of an `EntryNotApplicableError`. */
const notApplicableCode = 'replication.not_applicable';

/** What compares and rebuilds a replica needs of its node. */
export type ReplicaCareHost = Pick<
  ReplicaCareOptions,
  'node' | 'clock' | 'compareEveryMs' | 'hasBrokenRows' | 'close' | 'happened' | 'failed'
>;

/**
 * One shard of a table on this node: reads by key, writes, and what scans need. Nothing of a damaged shard is read
 * or written.
 */
export class ShardReplica {
  readonly memtable = new Memtable();
  readonly documents: ShardDocuments;
  readonly options: ShardReplicaOptions;
  /** Documents that were read since the start. */
  reads = 0;
  readonly #proposer: Proposer;
  readonly #writes: WritePath;
  #isRestoring = false;
  #hasLeft = false;
  /** What keeps it equal to the other replicas; undefined when there never are any. */
  readonly care: ReplicaCare | undefined;

  constructor(options: ShardReplicaOptions) {
    this.options = options;
    const { memtable } = this;
    this.documents = new ShardDocuments(options, memtable);
    this.#proposer = new Proposer({
      ...options,
      memtable,
      care: () => this.care,
    });
    this.care = this.#careBy(options.care);
    this.#writes = new WritePath({
      ...options,
      memtable,
      documents: this.documents,
      proposer: this.#proposer,
      requireIntact: () => this.requireIntact(),
    });
  }

  #careBy(host: ReplicaCareHost | undefined): ReplicaCare | undefined {
    if (host === undefined) return undefined;
    const { group, name, damagedGroups, applier, store } = this.options;
    return new ReplicaCare({
      ...host,
      name: `table \`${name}\``,
      replicas: this.#proposer.replicas,
      damage: () => damagedGroups.of(group),
      propose: () => this.#proposer.proposeComparison(),
      handedOver: () => this.#proposer.handedOver,
      settled: async () => {
        await applier.drained();
        return store.read((view) => readApplied(view, group));
      },
    });
  }

  get count(): number {
    return this.#proposer.count;
  }

  get counters(): { readonly reads: number; readonly writes: number } {
    return { reads: this.reads, writes: this.#proposer.writes };
  }

  /** Throws when the shard is damaged, or its rows are being replaced. */
  requireIntact(): void {
    // Another replica answers meanwhile.
    if (this.#isRestoring || this.#hasLeft) throw new NotLeaderError(undefined);
    const { damagedGroups, group, name, place } = this.options;
    if (damagedGroups.size === 0) return;
    const damage = damagedGroups.of(group);
    if (damage === undefined) return;
    const error = new TableDamagedError(name, damage, place);
    // Others have what is lost here, and one of them is to lead; what the log has, they all have.
    if (this.care?.isRecoverable !== true || damage.code === notApplicableCode) throw error;
    const { node, isHere } = this.replicas.leader;
    throw new NotLeaderError(isHere ? undefined : node, { cause: error });
  }

  /** Waits until every write acknowledged so far can be read; for `outdated` reads it does not. */
  async readable(mode: ReadMode = 'single'): Promise<void> {
    this.requireIntact();
    if (mode === 'outdated') this.#requireVoter();
    else await this.#proposer.readable(mode === 'majority');
  }

  /** A replica that others still bring up to date has nothing to answer. */
  #requireVoter(): void {
    const { isVoter, leader } = this.replicas;
    if (!isVoter) throw new NotLeaderError(leader.node);
  }

  /** The store gets another state of the shard: until `restored` nothing is answered. */
  restoring(): void {
    this.#isRestoring = true;
  }

  /** The store has another state of the shard. */
  restored(): void {
    this.#isRestoring = false;
    this.options.cache.clear();
    this.#proposer.restored();
  }

  /** This node has no replica of the shard any more. */
  leave(): void {
    this.#hasLeft = true;
    this.#proposer.leave();
  }

  /** The members of its group, and who leads it. */
  get replicas(): ReplicatedGroup {
    return this.#proposer.replicas;
  }

  /**
   * Resolves when every write so far is on the medium; rejects when the log refused one that was acknowledged
   * softly since the last call.
   */
  sync(): Promise<void> {
    return this.#proposer.sync();
  }

  /** What lets edits in. */
  get gate(): WriteGate {
    return this.#writes.gate;
  }

  /** At once, unless soft writes wait for the log, or the lease of the leader is over: most reads need no promise. */
  get(key: Uint8Array, mode: ReadMode = 'single'): Row | undefined | Promise<Row | undefined> {
    this.requireIntact();
    if (mode === 'outdated') return this.getOutdated(key);
    const readable = this.#proposer.readable(mode === 'majority');
    return readable === undefined ? this.#getNow(key) : readable.then(() => this.#getNow(key));
  }

  /** What is committed here, which may be older than what the leader has: for reads of any replica. */
  getOutdated(key: Uint8Array): Row | undefined {
    this.requireIntact();
    this.#requireVoter();
    return this.#getNow(key);
  }

  #getNow(key: Uint8Array): Row | undefined {
    this.reads += 1;
    return this.documents.get(key);
  }

  /**
   * Evaluates and commits edits, in order. Soft: resolves when they are proposed. An edit that the log refused
   * has the refusal as its outcome; rejects with it when none was taken.
   */
  edit(batch: EditBatch, signal: AbortSignal): Promise<EditOutcome[]> {
    const answer = (proposed: ProposedEdits): EditOutcome[] | Promise<EditOutcome[]> =>
      batch.durability === 'hard' ? proposed.hard() : proposed.soft();
    try {
      const made = this.#writes.propose(batch, signal);
      if (made instanceof Promise) return made.then(answer);
      const answered = answer(made);
      return answered instanceof Promise ? answered : Promise.resolve(answered);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The first part of `edit`: what it answers is to be acknowledged. */
  async propose(batch: EditBatch, signal: AbortSignal): Promise<ProposedEdits> {
    return this.#writes.propose(batch, signal);
  }
}
