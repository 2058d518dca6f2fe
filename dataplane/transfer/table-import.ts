import { writeApplied } from '../apply/applied-position.ts';
import type { MetadataLog } from '../apply/tables.ts';
import { allEnded } from '../common/all-ended.ts';
import { assert } from '../common/assert.ts';
import { toHex } from '../common/bytes.ts';
import type { DocumentCheck } from '../datum/document-check.ts';
import type { ApplyStore, WriteTransaction } from '../kv/store.ts';
import type { Refused } from '../metadata/command.ts';
import { databaseByName, tableByName } from '../metadata/lookup.ts';
import type { DatabaseRecord, MetadataState, ShardRecord, TableRecord } from '../metadata/state.ts';
import { SlotMap } from '../partition/hash-slots.ts';
import { onlyTerm } from '../replication/entry-kind.ts';
import type { CompileIndex } from '../table/apply.ts';
import { decodeDocument, keyspaceKey, moveEnvelope } from '../table/envelope.ts';
import { StatisticsChange } from '../table/statistics.ts';
import { checkedParts, compareTotals } from './checked-parts.ts';
import type { CheckedRow, TransferPart } from './checked-parts.ts';
import type { TransferHeader } from './content.ts';
import { ImportRefusedError } from './errors.ts';

/**
 * Makes a table of an export. Its rows go into a keyspace that belongs to no table; when everything was
 * checked and is on the medium, one change of the metadata makes it one. Guarded invariant: ended
 * before that, by an error or by the end of the process, it leaves nothing but garbage.
 */
export interface ImportHome {
  readonly store: ApplyStore;
  readonly tables: { readonly state: MetadataState };
  readonly metadata: MetadataLog;
  /** Makes the rows of an import garbage; whatever goes wrong, somebody sees to it. */
  abandon(keyspace: number): Promise<void>;
  readonly compileIndex: CompileIndex;
  readonly documents: DocumentCheck;
  readonly signal: AbortSignal;
}

export interface ImportRequest {
  /** Of the table to be. */
  readonly id: string;
  /** Where it goes; without it, to the names that it had. */
  readonly as?: { readonly database: string; readonly table: string } | undefined;
  /** Why nothing may be written now; asked before each write. */
  refusal(): string | undefined;
}

/** Rows of one write to the store: some milliseconds of work. */
const writeRowsMax = 500;

export async function importTable(
  source: AsyncIterable<Uint8Array>,
  request: ImportRequest,
  home: ImportHome,
): Promise<TableRecord> {
  const importing = new TableImport(request, home);
  try {
    for await (const part of checkedParts(source, home.signal)) await importing.take(part);
    return importing.table();
  } catch (error) {
    await importing.abandon();
    throw error;
  }
}

class TableImport {
  readonly #request: ImportRequest;
  readonly #home: ImportHome;
  #header: TransferHeader | undefined;
  /** While the rows belong to no table. */
  #shards: readonly ShardRecord[] = [];
  #map: SlotMap | undefined;
  /** What the rows are where they come from: the sum that the trailer has, too. */
  #total = new StatisticsChange(0);
  #isFinished = false;

  constructor(request: ImportRequest, home: ImportHome) {
    this.#request = request;
    this.#home = home;
  }

  async take(part: TransferPart): Promise<void> {
    this.#home.signal.throwIfAborted();
    const refusal = this.#request.refusal();
    if (refusal !== undefined) throw new ImportRefusedError(refusal);
    if (part.type === 'header') await this.#begin(part.header);
    else if (part.type === 'rows') await this.#write(part);
    else await this.#finish(part);
  }

  table(): TableRecord {
    const table = this.#home.tables.state.tables[this.#request.id];
    if (table === undefined) throw new ImportRefusedError('The table was dropped meanwhile.');
    return table;
  }

  /** The rows that are there go as those of a dropped table do. */
  async abandon(): Promise<void> {
    const [first] = this.#shards;
    if (first === undefined || this.#isFinished) return;
    await this.#home.abandon(first.keyspace);
  }

  async #begin(header: TransferHeader): Promise<void> {
    this.#header = header;
    this.#database();
    // An index that cannot be compiled would stop the node once the metadata has it.
    for (const { definition, multi, geo } of header.indexes) {
      this.#home.compileIndex(definition, multi, geo);
    }
    const shards = header.table.placement?.shards.length ?? 1;
    const state = accepted(await this.#home.metadata.change({ type: 'beginImport', shards }));
    this.#shards = state.importing?.at(-1)?.shards ?? [];
    this.#map = new SlotMap(
      0,
      this.#shards.map(({ slots }) => slots),
    );
    this.#total = new StatisticsChange(header.keyspace);
  }

  /** Where the table goes. */
  #database(): DatabaseRecord {
    const { database: name, table } = this.#names();
    const state = this.#home.tables.state;
    const database = databaseByName(state, name);
    if (database === undefined) {
      throw new ImportRefusedError(`Database \`${name}\` does not exist: create it first.`);
    }
    if (tableByName(state, database.id, table) !== undefined) {
      throw new ImportRefusedError(`Table \`${name}.${table}\` already exists.`);
    }
    return database;
  }

  #names(): { readonly database: string; readonly table: string } {
    assert(this.#header !== undefined, 'the header comes first');
    const { database, table } = this.#header;
    return this.#request.as ?? { database, table: table.name };
  }

  async #write({ areNew, rows }: Extract<TransferPart, { readonly type: 'rows' }>): Promise<void> {
    for (const row of rows) this.#check(row);
    const writes: Promise<void>[] = [];
    for (let at = 0; at < rows.length; at += writeRowsMax) {
      const some = rows.slice(at, at + writeRowsMax);
      writes.push(this.#home.store.write((transaction) => this.#put(transaction, some, areNew)));
    }
    await allEnded(writes);
  }

  /** What another release, or a damaged one, took for a document goes no further. */
  #check({ key, value, sourceKey }: CheckedRow): void {
    if (value === undefined) return;
    assert(this.#header !== undefined, 'the header comes first');
    const { primaryKey } = this.#header.table;
    const { text } = decodeDocument(sourceKey, value);
    const problem = this.#home.documents.problemOf(text, { key, primaryKey });
    if (problem === undefined) return;
    throw new ImportRefusedError(
      `The row with the key ${toHex(key)} is no document, ${problem}. Export what is whole of the table ` +
        'with `npm run storage -- salvage`.',
    );
  }

  #put(transaction: WriteTransaction, rows: readonly CheckedRow[], areNew: boolean): void {
    const sums = new Map(
      this.#shards.map(({ keyspace }) => [keyspace, new StatisticsChange(keyspace)]),
    );
    for (const { key, value, sourceKey } of rows) {
      const keyspace = this.#shards[this.#map?.shardOf(key) ?? 0]?.keyspace ?? 0;
      const statistics = sums.get(keyspace);
      assert(statistics !== undefined, 'rows come when the shards are there');
      const targetKey = keyspaceKey(keyspace, key);
      const before = areNew ? undefined : transaction.get('data', targetKey);
      if (before !== undefined) {
        statistics.subtract(targetKey, before);
        this.#total.subtract(sourceKey, moveEnvelope(before, sourceKey));
      }
      if (value === undefined) {
        transaction.remove('data', targetKey);
        continue;
      }
      const moved = moveEnvelope(value, targetKey);
      transaction.put('data', targetKey, moved);
      statistics.add(targetKey, moved);
      this.#total.add(sourceKey, value);
    }
    for (const statistics of sums.values()) statistics.write(transaction);
  }

  async #finish(end: Extract<TransferPart, { readonly type: 'end' }>): Promise<void> {
    compareTotals(this.#total.total, end);
    const { store } = this.#home;
    const { id } = this.#request;
    const { position } = end.trailer;
    // Versions go on above those that came in.
    await store.write((transaction) => {
      for (const { group } of this.#shards)
        writeApplied(transaction, group, { index: position, term: onlyTerm });
    });
    // After a power cut the log would know of a table whose rows are not on the medium.
    await store.flushed();
    assert(this.#header !== undefined, 'the header comes first');
    const { placement: _placement, ...table } = this.#header.table;
    const { indexes } = this.#header;
    const keyspace = this.#shards[0]?.keyspace ?? 0;
    const record = { ...table, id, databaseId: this.#database().id, name: this.#names().table };
    accepted(
      await this.#home.metadata.change({ type: 'finishImport', keyspace, table: record, indexes }),
    );
    this.#isFinished = true;
  }
}

function accepted(result: MetadataState | Refused): MetadataState {
  if ('type' in result) throw new ImportRefusedError(result.message);
  return result;
}
