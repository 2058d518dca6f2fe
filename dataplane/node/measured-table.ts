import type { Environment } from '../query/environment.ts';
import type { BatchLimit, BatchSource, Row, TableAccess } from '../wire/table-access.ts';
import type { QueryObserver } from './query-measurements.ts';

type ScanRecorder = Pick<QueryObserver, 'scanned'>;

type TableOf = Environment['table'];

/** The same tables; their scans are measured. */
export function measuredTables(tableOf: TableOf, recorder: ScanRecorder): TableOf {
  return (id, mode) => {
    const table = tableOf(id, mode);
    return table === undefined ? undefined : new MeasuredTable(table, recorder);
  };
}

export class MeasuredTable implements TableAccess {
  readonly #table: TableAccess;
  readonly #recorder: ScanRecorder;

  constructor(table: TableAccess, recorder: ScanRecorder) {
    this.#table = table;
    this.#recorder = recorder;
  }

  get(...args: Parameters<TableAccess['get']>): ReturnType<TableAccess['get']> {
    return this.#table.get(...args);
  }

  scan(...args: Parameters<TableAccess['scan']>): ReturnType<TableAccess['scan']> {
    return new MeasuredScan(this.#table.scan(...args), this.#recorder);
  }

  scanIndex(...args: Parameters<TableAccess['scanIndex']>): ReturnType<TableAccess['scanIndex']> {
    return new MeasuredScan(this.#table.scanIndex(...args), this.#recorder);
  }

  count(): Promise<number> {
    return this.#table.count();
  }

  edit(...args: Parameters<TableAccess['edit']>): ReturnType<TableAccess['edit']> {
    return this.#table.edit(...args);
  }

  sync(): Promise<void> {
    return this.#table.sync();
  }
}

class MeasuredScan<T extends Row> implements BatchSource<T> {
  readonly #source: BatchSource<T>;
  #recorder: ScanRecorder | undefined;
  #rows = 0;
  #bytes = 0;

  constructor(source: BatchSource<T>, recorder: ScanRecorder) {
    this.#source = source;
    this.#recorder = recorder;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined> {
    const rows = await this.#source.next(limit, signal);
    if (rows === undefined) this.#end();
    else this.#count(rows);
    return rows;
  }

  close(): void {
    this.#source.close();
    this.#end();
  }

  #count(rows: readonly T[]): void {
    for (const row of rows) {
      this.#rows += typeof row.made === 'object' ? row.made.length : 1;
      this.#bytes += bytesOf(row);
    }
  }

  #end(): void {
    this.#recorder?.scanned(this.#rows, this.#bytes);
    this.#recorder = undefined;
  }
}

/** Results of operations that were evaluated beside the rows come in place of documents. */
function bytesOf({ key, text, made }: Row): number {
  const results = typeof made === 'object' ? made.reduce((sum, each) => sum + each.length, 0) : 0;
  return key.length + text.length + results;
}
