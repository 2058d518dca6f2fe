import { compareBytes } from '../../common/bytes.ts';
import { decideEdit, outcomeOf } from '../../wire/edit-decision.ts';
import type { ShardEngine } from '../../wire/shard-engine.ts';
import type { Edit, EditBatch, EditOutcome, EditRun } from '../../wire/table-edit.ts';
import { createEditEngine } from '../edit-engine.ts';
import type {
  Catalog,
  DatabaseInfo,
  Environment,
  IndexInfo,
  Refusal,
  TableInfo,
} from '../environment.ts';
import { EvaluatedScan } from '../../wire/evaluated-scan.ts';
import type { PushedScan } from '../../wire/pushed-scan.ts';
import type {
  BatchSource,
  EncodedRange,
  IndexPosition,
  ReadMode,
  Row,
  ScanOptions,
  TableAccess,
} from '../../wire/table-access.ts';
import { compileIndex } from '../index-function.ts';
import { tooManyReplicas } from '../terms/placement.ts';
import { MemoryReport } from './memory-report.ts';

/** What the query engine needs, in memory, with a clock and a chance that tests can foresee. */
export class MemoryEnvironment implements Environment {
  readonly catalog: Catalog = catalogOf(this);
  readonly server = { id: '00000000-0000-4000-8000-000000000000', name: 'here' };
  readonly report = new MemoryReport();
  edits: ShardEngine = createEditEngine();
  readonly databases: DatabaseInfo[] = [{ id: 'd-test', name: 'test' }];
  readonly tables = new Map<string, MemoryTable>();
  /** Documents that scans handed out so far. */
  rowsRead = 0;
  pauses = 0;
  /** Of the last write. */
  lastDurability: 'hard' | 'soft' | undefined;
  /** Of the last table that was opened. */
  lastReadMode: ReadMode | undefined;
  nowMs = 1_700_000_000_000;
  #made = 0;

  table = (id: string, mode?: ReadMode): TableAccess | undefined => {
    this.lastReadMode = mode;
    return this.tables.get(id);
  };

  pause(): Promise<void> {
    this.pauses += 1;
    return Promise.resolve();
  }

  /** Time that passes at once. */
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.nowMs += ms;
    return Promise.resolve();
  }

  now(): number {
    return this.nowMs;
  }

  uuid(): string {
    this.#made += 1;
    return `00000000-0000-4000-8000-${String(this.#made).padStart(12, '0')}`;
  }

  random(): number {
    return 0.5;
  }
}

class MemoryTable implements TableAccess {
  info: TableInfo;
  readonly #environment: MemoryEnvironment;
  #rows: (Row & { readonly version: number })[] = [];
  #version = 0;

  constructor(info: TableInfo, environment: MemoryEnvironment) {
    this.info = info;
    this.#environment = environment;
  }

  get(key: Uint8Array): Promise<Row | undefined> {
    return Promise.resolve(this.#rows.find((row) => compareBytes(row.key, key) === 0));
  }

  scan(
    range: EncodedRange,
    order: 'ascending' | 'descending',
    options?: ScanOptions,
  ): ReturnType<TableAccess['scan']> {
    const rows = this.#rows.filter(({ key }) => within(key, range));
    return this.#source(rows, order, options?.pushed);
  }

  scanIndex(
    name: string,
    range: EncodedRange,
    order: 'ascending' | 'descending',
    { after, until, pushed }: ScanOptions = {},
  ): ReturnType<TableAccess['scanIndex']> {
    const index = this.info.indexes.find((each) => each.name === name) as IndexInfo;
    const keysOf = compileIndex(index.definition, index.multi, false);
    const entries = this.#rows
      .flatMap((row) => keysOf(row.text).map((indexKey) => ({ ...row, indexKey })))
      .filter(({ indexKey }) => within(indexKey, range))
      .sort(comparePositions);
    const sign = order === 'ascending' ? 1 : -1;
    const isBehind = (entry: IndexPosition): boolean =>
      (after === undefined || sign * comparePositions(entry, after) > 0) &&
      (until === undefined || sign * comparePositions(entry, until) <= 0);
    return this.#source(entries.filter(isBehind), order, pushed);
  }

  count(): Promise<number> {
    return Promise.resolve(this.#rows.length);
  }

  edit(batch: EditBatch): Promise<readonly EditOutcome[]> {
    this.#environment.lastDurability = batch.durability;
    const run = this.#environment.edits.begin(batch, this.info);
    return Promise.resolve(batch.edits.map((edit) => this.#edit(edit, run, batch.documents)));
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  #edit(edit: Edit, run: EditRun, documents: EditBatch['documents']): EditOutcome {
    const { key } = edit;
    const at = this.#rows.findIndex((row) => compareBytes(row.key, key) === 0);
    const { text, version = 0 } = this.#rows[at] ?? {};
    const current = { text, version, generation: 0, isCommitted: true };
    const decision = decideEdit(edit, current, run);
    if (decision.type === 'write') this.#put(key, decision.text);
    return outcomeOf(decision, current, documents);
  }

  #put(key: Uint8Array, text: string | undefined): void {
    this.#rows = this.#rows.filter((row) => compareBytes(row.key, key) !== 0);
    if (text === undefined) return;
    this.#version += 1;
    this.#rows.push({ key, text, version: this.#version });
    this.#rows.sort((a, b) => compareBytes(a.key, b.key));
  }

  #source<T extends Row>(
    rows: readonly T[],
    order: 'ascending' | 'descending',
    pushed: PushedScan | undefined,
  ): BatchSource<T> {
    const rest = order === 'ascending' ? [...rows] : [...rows].reverse();
    const source: BatchSource<T> = {
      next: (limit) => {
        const batch = rest.splice(0, limit.rows);
        this.#environment.rowsRead += batch.length;
        return Promise.resolve(batch.length === 0 ? undefined : batch);
      },
      close: () => void rest.splice(0),
    };
    if (pushed === undefined) return source;
    return new EvaluatedScan(source, this.#environment.edits.scan(pushed));
  }
}

const comparePositions = (a: IndexPosition, b: IndexPosition): number =>
  compareBytes(a.indexKey, b.indexKey) || compareBytes(a.key, b.key);

const within = (key: Uint8Array, { start, end }: EncodedRange): boolean =>
  (start === undefined || compareBytes(key, start) >= 0) &&
  (end === undefined || compareBytes(key, end) < 0);

const refused = (message: string): Refusal => ({ type: 'refused', message });

const renamed = (indexes: readonly IndexInfo[], from: string, to: string): IndexInfo[] =>
  indexes
    .filter(({ name }) => name !== to || from === to)
    .map((index) => (index.name === from ? { ...index, name: to } : index));

type ChangeIndexes = (
  id: string,
  change: (indexes: readonly IndexInfo[]) => readonly IndexInfo[],
) => Promise<TableInfo | Refusal>;

const indexChanges = (
  environment: MemoryEnvironment,
  changed: ChangeIndexes,
): Pick<Catalog, 'createIndex' | 'dropIndex' | 'renameIndex'> => ({
  createIndex: (id, index) =>
    changed(id, (indexes) => [...indexes, { ...index, ready: true, progress: 1 }]),
  dropIndex: (id, name) => changed(id, (indexes) => indexes.filter((index) => index.name !== name)),
  renameIndex: (id, { from, to, overwrite }) => {
    const taken = environment.tables.get(id)?.info.indexes.some(({ name }) => name === to) === true;
    if (taken && !overwrite && from !== to)
      return Promise.resolve(refused(`Index \`${to}\` already exists.`));
    return changed(id, (indexes) => renamed(indexes, from, to));
  },
});

function catalogOf(environment: MemoryEnvironment): Catalog {
  const infos = (): TableInfo[] => [...environment.tables.values()].map(({ info }) => info);
  const withInfo = (id: string, change: Partial<TableInfo>): Promise<TableInfo | Refusal> => {
    const table = environment.tables.get(id);
    if (table === undefined) return Promise.resolve(refused('The table was dropped.'));
    table.info = { ...table.info, ...change };
    return Promise.resolve(table.info);
  };
  const changed: ChangeIndexes = (id, change) =>
    withInfo(id, { indexes: change(environment.tables.get(id)?.info.indexes ?? []) });
  return {
    databases: () => environment.databases,
    database: (name) => environment.databases.find((each) => each.name === name),
    tables: (id) => infos().filter(({ database }) => database.id === id),
    table: (id, name) => infos().find((each) => each.database.id === id && each.name === name),
    tableById: (id) => environment.tables.get(id)?.info,
    createDatabase: (name, id = environment.uuid()) => {
      const info = { id, name };
      environment.databases.push(info);
      return Promise.resolve(info);
    },
    dropDatabase: (name) => {
      const at = environment.databases.findIndex((each) => each.name === name);
      const [database] = at < 0 ? [] : environment.databases.splice(at, 1);
      if (database === undefined)
        return Promise.resolve(refused(`Database \`${name}\` does not exist.`));
      return Promise.resolve({ database, tables: [] });
    },
    createTable: (
      databaseId,
      name,
      { wantedReplicas: wanted = 1, places: _here, ...options },
      given,
    ) => {
      if (wanted > 1) return Promise.resolve(refused(tooManyReplicas(wanted, 1)));
      const id = given ?? environment.uuid();
      const database = environment.databases.find((each) => each.id === databaseId) as DatabaseInfo;
      const info: TableInfo = { id, name, database, indexes: [], isDamaged: false, ...options };
      environment.tables.set(info.id, new MemoryTable(info, environment));
      return Promise.resolve(info);
    },
    setExpireAt: (id, expireAt) => withInfo(id, { expireAt }),
    setWriteHook: (id, writeHook) => withInfo(id, { writeHook }),
    configureTable: (id, settings) => withInfo(id, settings),
    placeReplicas: (id, { replicas = 1, shards, isDryRun = false }) => {
      if (replicas > 1) return Promise.resolve(refused(tooManyReplicas(replicas, 1)));
      const info = environment.tables.get(id)?.info;
      if (isDryRun && info !== undefined)
        return Promise.resolve({ ...info, shards: shards ?? info.shards });
      return withInfo(id, {});
    },
    renameDatabase: (id, name) => {
      const renamed = { id, name };
      const at = environment.databases.findIndex((each) => each.id === id);
      environment.databases.splice(at, 1, renamed);
      for (const table of infos())
        if (table.database.id === id) void withInfo(table.id, { database: renamed });
      return Promise.resolve(renamed);
    },
    dropTable: (id) => {
      const info = environment.tables.get(id)?.info;
      environment.tables.delete(id);
      return Promise.resolve(info ?? refused('The table was dropped.'));
    },
    ...indexChanges(environment, changed),
    ready: () => Promise.resolve(),
  };
}
