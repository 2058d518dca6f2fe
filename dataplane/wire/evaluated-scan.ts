import type { Made } from './pushed-scan.ts';
import type { ScanRun } from './shard-engine.ts';
import type { BatchLimit, BatchSource, Row } from './table-access.ts';

/** Rows that are looked at for one batch, whatever comes of them. */
const examinedMax = 1_000;
/** A batch without results asks for so many times more rows. */
const growth = 4;

/**
 * A scan whose operations are evaluated beside its rows. Guarded invariants: parts come in the order of their rows;
 * behind the last part of a batch a later scan finds what is left; the work for one batch is bounded.
 */
export class EvaluatedScan<T extends Row> implements BatchSource<T> {
  readonly #source: BatchSource<T>;
  readonly #run: ScanRun;
  #rows: readonly T[] = [];
  #at = 0;

  constructor(source: BatchSource<T>, run: ScanRun) {
    this.#source = source;
    this.#run = run;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined> {
    const batch = new Parts<T>(this.#run);
    this.#run.begin();
    let asked = Math.min(limit.rows, examinedMax);
    while (batch.examined < examinedMax) {
      if (this.#at >= this.#rows.length) {
        const rows = await this.#source.next({ rows: asked, bytes: limit.bytes }, signal);
        if (rows === undefined) break;
        [this.#rows, this.#at] = [rows, 0];
        asked = Math.min(asked * growth, examinedMax);
      }
      const row = this.#rows[this.#at] as T;
      const made = this.#run.made(row);
      if (made === 'later') break;
      this.#at += 1;
      batch.add(row, made);
      if (batch.results >= limit.rows || batch.bytes >= limit.bytes || this.#run.isSpent) break;
    }
    return batch.finish();
  }

  close(): void {
    [this.#rows, this.#at] = [[], 0];
    this.#source.close();
  }
}

class Parts<T extends Row> {
  examined = 0;
  results = 0;
  bytes = 0;
  readonly #run: ScanRun;
  readonly #parts: T[] = [];
  #last: T | undefined;

  constructor(run: ScanRun) {
    this.#run = run;
  }

  add(row: T, made: Made | undefined): void {
    this.examined += 1;
    if (made === undefined || made === 'kept') {
      this.#flush();
      this.#push(made === undefined ? row : { ...row, made }, row.text.length);
    } else if (made.length > 0) {
      this.#push(
        partOf(row, made),
        made.reduce((sum, { length }) => sum + length, 0),
        made.length,
      );
    }
    this.#last = row;
  }

  finish(): readonly T[] | undefined {
    const last = this.#last;
    if (last === undefined) return undefined;
    this.#flush();
    // Rows of which nothing is left are behind the one who asks, too.
    if (this.#parts.at(-1)?.key !== last.key) this.#parts.push(partOf(last, []));
    return this.#parts;
  }

  #flush(): void {
    for (const { row, text } of this.#run.states())
      this.#push(partOf(row as T, [text]), text.length);
  }

  #push(part: T, bytes: number, results = 1): void {
    this.#parts.push(part);
    this.results += results;
    this.bytes += bytes;
  }
}

const partOf = <T extends Row>(row: T, made: Made): T => ({ ...row, text: '', made });
