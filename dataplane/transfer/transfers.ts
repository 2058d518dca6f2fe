import type { Applier } from '../apply/applier.ts';
import { TouchedKeys } from '../apply/touched-keys.ts';
import type { MetadataState, TableRecord } from '../metadata/state.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import type { TransferHeader } from './content.ts';
import { ExportRefusedError } from './errors.ts';
import { salvageTable } from './salvage.ts';
import type { Salvaged } from './salvage.ts';
import { exportTable } from './table-export.ts';
import { importTable } from './table-import.ts';
import type { ImportHome, ImportRequest } from './table-import.ts';
import type { Clock } from '../common/clock.ts';

/** Tables that leave a node and come into it as streams. */
export interface TransfersOptions extends ImportHome {
  readonly clock: Pick<Clock, 'yield'>;
  readonly applier: Applier;
  /** Undefined when it was dropped. */
  group(tableId: string): ShardReplica | undefined;
  /** Resolves when the store has what was committed before the call. */
  settled(): Promise<void>;
}

/** Keys that may change while the reader of an export takes one piece. */
const touchedKeysMax = 65_536;

export class Transfers {
  readonly #options: TransfersOptions;
  readonly #imports = new Set<Promise<unknown>>();

  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  /**
   * Everything that was written to a table before the call, and what is written until the stream ends.
   * Throws `storage.corrupt` at a damaged value, `replication.export_incomplete` when values are
   * missing, `replication.export_behind` when it is read too slowly.
   */
  async *export(table: TableRecord, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { applier, store, clock } = this.#options;
    const header = this.#headerOf(table);
    const { keyspace } = table;
    const name = `${header.database}.${table.name}`;
    const group = (): ShardReplica => {
      const found = this.#options.group(table.id);
      if (found === undefined) throw new ExportRefusedError(`Table \`${name}\` was dropped.`);
      return found;
    };
    await group().readable();
    const touched = new TouchedKeys(touchedKeysMax);
    const unwatch = applier.watch(keyspace, touched);
    try {
      await this.#options.settled();
      yield* exportTable({
        store,
        clock,
        name,
        header,
        touched,
        check: () => group().requireIntact(),
        signal: AbortSignal.any([signal, this.#options.signal]),
      });
    } finally {
      unwatch();
    }
  }

  /**
   * What is whole of a table that nobody writes to, damaged or not, as an export; `salvaged` says in
   * the end what is in it and what is not.
   */
  async *salvage(
    table: TableRecord,
    salvaged: Salvaged,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    await this.#options.settled();
    const header = this.#headerOf(table);
    const { store, clock, codec } = this.#options;
    yield* salvageTable({ store, clock, codec, header, signal }, salvaged);
  }

  #headerOf(table: TableRecord): Omit<TransferHeader, 'position'> {
    const { id: _id, databaseId, keyspace, indexes, ...rest } = table;
    return {
      database: this.#options.state().databases[databaseId]?.name ?? '',
      table: rest,
      indexes: indexes.map(({ keyspace: _keyspace, ready: _ready, ...index }) => index),
      keyspace,
    };
  }

  /**
   * The new table, whose indexes are being built. Throws `replication.transfer_damaged` or
   * `transfer_format` for a stream that cannot be trusted, `import_refused` when there is no place for it.
   */
  import(
    source: AsyncIterable<Uint8Array>,
    request: ImportRequest,
    signal: AbortSignal,
  ): Promise<TableRecord> {
    const home = { ...this.#options, signal: AbortSignal.any([signal, this.#options.signal]) };
    const running = importTable(source, request, home).finally(() => this.#imports.delete(running));
    this.#imports.add(running);
    return running;
  }

  /** Nobody goes on with what a process before this one began. */
  async abandonOld(state: MetadataState): Promise<void> {
    for (const keyspace of state.imports ?? []) await this.#options.abandon(keyspace);
  }

  /** Resolves when no import writes any more; the signal must have been aborted. */
  async stopped(): Promise<void> {
    await Promise.allSettled(this.#imports);
  }
}
