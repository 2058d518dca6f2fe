import { CatalogNewerError } from '../apply/errors.ts';
import { readApplied } from '../apply/applied-position.ts';
import type { Applier } from '../apply/applier.ts';
import type { CorruptionRegistry } from '../integrity/corruption-registry.ts';
import type { UncheckedVersions } from '../integrity/unchecked.ts';
import type { BuiltIndexes } from '../maintenance/built-indexes.ts';
import { shardOfGroup } from '../metadata/lookup.ts';
import { partsOf } from '../metadata/shards.ts';
import { metadataFormat, qualifiedName } from '../metadata/state.ts';
import type { MetadataState, TableRecord } from '../metadata/state.ts';
import { metadataGroup } from '../replication/entry-kind.ts';
import type {
  Configuration,
  GroupSnapshots,
  SnapshotPosition,
} from '../replication/replicated-group.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import { beginInstall, finishInstall } from '../transfer/snapshot-install.ts';
import type { InstalledShard, InstallHome } from '../transfer/snapshot-install.ts';
import { decodePart, encodeAnswer } from '../transfer/snapshot-message.ts';
import { SnapshotReceiver } from '../transfer/snapshot-receiver.ts';
import { SnapshotSender } from '../transfer/snapshot-sender.ts';
import { clearChunks, readStagedText, stagedRange } from '../transfer/snapshot-staging.ts';
import { metadataState, shardState } from '../transfer/snapshot-state.ts';
import type { SnapshotState } from '../transfer/snapshot-state.ts';
import { StorageCorruptError } from '../table/errors.ts';
import type { DatabaseOptions } from './options.ts';

export interface SnapshotsHost extends InstallHome {
  readonly options: DatabaseOptions;
  readonly tables: {
    readonly state: MetadataState;
    readonly built: BuiltIndexes;
    replica(group: number): ShardReplica | undefined;
  };
  readonly applier: Applier;
  readonly corruption: CorruptionRegistry;
  readonly unchecked: UncheckedVersions;
  /** Indexes of the table are to be built on this node. */
  rebuild(table: TableRecord): void;
  /** The metadata is another one, as of an entry of its log. */
  metadataRestored(state: MetadataState, index: number): void;
}

/** The states of this node's groups on their way to other nodes, and from them. */
export class DatabaseSnapshots {
  readonly #host: SnapshotsHost;
  readonly #receivers = new Map<number, SnapshotReceiver>();
  readonly #senders = new Map<number, SnapshotSender>();
  /** What writes rows, or parts of states, for a group at this moment. */
  readonly #writing = new Map<number, Set<Promise<unknown>>>();

  constructor(host: SnapshotsHost) {
    this.#host = host;
  }

  /** Of a group that this node is a member of; `founders` are its members before the log names others. */
  of(group: number, founders: Configuration): GroupSnapshots {
    return {
      send: (to, signal) => this.#send(group, founders, { to, signal }),
      has: (position) => this.#receiver(group)?.has(position) === true,
      install: (position) =>
        group === metadataGroup ? this.#installMetadata(position) : this.#install(group, position),
    };
  }

  /** The last entry of a group that its log may let go of while its state is sent; undefined for any. */
  heldFrom(group: number): number | undefined {
    return this.#senders.get(group)?.heldFrom;
  }

  /** The group has left: nothing of it is sent any more. */
  end(group: number): void {
    this.#senders.get(group)?.close();
    this.#senders.delete(group);
    this.#receivers.delete(group);
  }

  /** Resolves when nothing that has begun writes for a group any more: what it has may be removed then. */
  async settled(group: number): Promise<void> {
    const writing = this.#writing.get(group);
    if (writing !== undefined) await Promise.allSettled(writing);
  }

  #written<T>(group: number, written: Promise<T>): Promise<T> {
    const all = this.#writing.get(group) ?? new Set();
    this.#writing.set(group, all.add(written));
    const end = (): void => {
      all.delete(written);
      if (all.size === 0) this.#writing.delete(group);
    };
    written.then(end, end);
    return written;
  }

  /** Takes a part of a state from another node, and answers it. */
  async request(bytes: Uint8Array): Promise<Uint8Array> {
    const part = decodePart(bytes);
    if (part === undefined) return encodeAnswer({ type: 'damaged' });
    // A store that has rows of a table before the list of tables is taken for a damaged one.
    if (part.group !== metadataGroup && part.number === 0) await this.#host.applier.drained();
    this.#host.tables.replica(part.group)?.care?.partArrived();
    const receiver = this.#receiver(part.group);
    return encodeAnswer(
      receiver === undefined
        ? { type: 'again' }
        : await this.#written(part.group, receiver.take(part)),
    );
  }

  #receiver(group: number): SnapshotReceiver | undefined {
    const known = this.#receivers.get(group);
    if (known !== undefined) return known;
    const { store, clock, tables } = this.#host;
    const keyspace = group === metadataGroup ? 0 : tables.replica(group)?.options.keyspace;
    if (keyspace === undefined) return undefined;
    const receiver = new SnapshotReceiver({ group, keyspace, store, clock });
    this.#receivers.set(group, receiver);
    return receiver;
  }

  async #send(
    group: number,
    founders: Configuration,
    { to, signal }: { readonly to: string; readonly signal: AbortSignal },
  ): Promise<SnapshotPosition> {
    const { options, corruption } = this.#host;
    const { replicate, snapshotPeer } = options;
    if (replicate === undefined || snapshotPeer === undefined)
      throw new Error('this node sends no state');
    const name = `${replicate.node}/${options.clock.timeOfDay()}/${group}`;
    const begin = (): SnapshotState => this.#begin(group);
    const position = (): number => options.store.read((view) => readApplied(view, group));
    const made = { group, name, peer: snapshotPeer, clock: options.clock, begin, position };
    const sender = this.#senders.get(group) ?? new SnapshotSender(made);
    this.#senders.set(group, sender);
    const { members, index, term } = await sender.send(to, signal).catch((error: unknown) => {
      // Rows that cannot be read are not sent: another replica has them.
      if (error instanceof StorageCorruptError) corruption.report(error);
      throw error;
    });
    const configuration = members === undefined ? founders : replicate.configurationOf(members);
    return { index, term, configuration };
  }

  #begin(group: number): SnapshotState {
    const { store, applier, tables } = this.#host;
    if (group === metadataGroup) return metadataState(store);
    const replica = tables.replica(group);
    if (replica === undefined) throw new Error(`group ${group} is not here`);
    replica.requireIntact();
    return shardState(store, applier, replica.options);
  }

  async #install(group: number, position: SnapshotPosition): Promise<void> {
    const receiver = this.#receiver(group);
    const release = receiver?.keep();
    // It is another one, or none, when the group has left.
    const isWanted = (): boolean => this.#receivers.get(group) === receiver;
    try {
      await this.#written(group, this.#replace(group, position, isWanted));
    } finally {
      release?.();
    }
  }

  async #replace(
    group: number,
    { configuration }: SnapshotPosition,
    isWanted: () => boolean,
  ): Promise<void> {
    const { store, applier, options, tables } = this.#host;
    const found = shardOfGroup(tables.state, group);
    // It was dropped meanwhile.
    if (found === undefined) return;
    const { table, shard, at } = found;
    const indexes = table.indexes.flatMap((index) => partsOf(index)[at]?.keyspace ?? []);
    const installed: InstalledShard = { group, keyspace: shard.keyspace, indexes };
    tables.replica(group)?.restoring();
    await applier.drained();
    if (!isWanted()) return;
    const members = options.replicate?.payloadOf(configuration) ?? new Uint8Array();
    if (!(await beginInstall(store, installed, members)))
      throw new Error(`nothing has arrived of ${qualifiedName(tables.state, table)}`);
    for (const keyspace of indexes) tables.built.forget(keyspace);
    await finishInstall(this.#host, installed, isWanted);
    if (isWanted()) this.#restored(installed, table);
  }

  #restored({ group, keyspace }: InstalledShard, table: TableRecord): void {
    const { applier, corruption, unchecked, tables } = this.#host;
    applier.restored(group);
    corruption.restored(group, keyspace);
    unchecked.read(this.#host.store, keyspace);
    tables.replica(group)?.restored();
    this.#host.rebuild(table);
  }

  async #installMetadata({ index, term, configuration }: SnapshotPosition): Promise<void> {
    const { store, applier, options, clock } = this.#host;
    const text = store.read((view) => readStagedText(view, metadataGroup));
    const state = JSON.parse(text) as MetadataState;
    if (state.format > metadataFormat) throw new CatalogNewerError(state.format, metadataFormat);
    const members = options.replicate?.payloadOf(configuration) ?? new Uint8Array();
    await applier.restoreMetadata(state, { index, term }, members);
    await clearChunks(store, stagedRange(metadataGroup), clock);
    this.#host.metadataRestored(state, index);
  }
}
