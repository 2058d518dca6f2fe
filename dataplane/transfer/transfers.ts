import type { Applier } from '../apply/applier.ts';
import { TouchedKeys } from '../apply/touched-keys.ts';
import type { Clock } from '../common/clock.ts';
import { hasOthers } from '../metadata/members.ts';
import { importsOf, shardsOf } from '../metadata/shards.ts';
import type { MetadataState, TableRecord } from '../metadata/state.ts';
import type { ShardedTable } from '../shard/sharded-table.ts';
import type { TransferHeader } from './content.ts';
import { ExportRefusedError, ImportRefusedError } from './errors.ts';
import { salvageTable } from './salvage.ts';
import type { Salvaged } from './salvage.ts';
import { exportTable } from './table-export.ts';
import { importTable } from './table-import.ts';
import type { ImportHome, ImportRequest } from './table-import.ts';

export interface TransfersOptions extends ImportHome {
  readonly clock: Pick<Clock, 'yield'>;
  readonly applier: Applier;
  /** Undefined when it was dropped. */
  table(id: string): ShardedTable | undefined;
}

/** Keys that may change while the reader of an export takes one piece. */
const touchedKeysMax = 65_536;

/** Tables that leave a node and come into it as streams. */
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
    const name = `${header.database}.${table.name}`;
    const served = (): ShardedTable => {
      const found = this.#options.table(table.id);
      if (found === undefined) throw new ExportRefusedError(`Table \`${name}\` was dropped.`);
      return found;
    };
    await served().readable();
    const shards = shardsOf(table).map((shard) => {
      return { ...shard, touched: new TouchedKeys(touchedKeysMax) };
    });
    const unwatch = shards.map(({ group, touched }) => applier.watch(group, touched));
    try {
      await this.#options.metadata.settled();
      yield* exportTable({
        store,
        clock,
        name,
        header,
        shards,
        check: () => served().requireIntact(),
        signal: AbortSignal.any([signal, this.#options.signal]),
      });
    } finally {
      for (const each of unwatch) each();
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
    await this.#options.metadata.settled();
    const header = this.#headerOf(table);
    const { store, clock, documents } = this.#options;
    yield* salvageTable(
      { store, clock, documents, shards: shardsOf(table), header, signal },
      salvaged,
    );
  }

  #headerOf(table: TableRecord): Omit<TransferHeader, 'position'> {
    const { id: _id, databaseId, keyspace, indexes, placement, ...rest } = table;
    const isPlaced = placement !== undefined && placement.shards.length > 1;
    return {
      database: this.#options.tables.state.databases[databaseId]?.name ?? '',
      table: { ...rest, ...(isPlaced ? { placement } : {}) },
      indexes: indexes.map(
        ({ keyspace: _keyspace, ready: _ready, parts: _parts, ...index }) => index,
      ),
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
    if (hasOthers(this.#options.tables.state)) {
      const words =
        'This version imports tables into clusters of one node only: import it there before other nodes join.';
      return Promise.reject(new ImportRefusedError(words));
    }
    const home = { ...this.#options, signal: AbortSignal.any([signal, this.#options.signal]) };
    const running = importTable(source, request, home).finally(() => this.#imports.delete(running));
    this.#imports.add(running);
    return running;
  }

  /** Nobody goes on with what a process before this one began. */
  async abandonOld(state: MetadataState): Promise<void> {
    for (const {
      shards: [first],
    } of importsOf(state)) {
      if (first !== undefined) await this.#options.abandon(first.keyspace);
    }
  }

  /** Resolves when no import writes any more; the signal must have been aborted. */
  async stopped(): Promise<void> {
    await Promise.allSettled(this.#imports);
  }
}
