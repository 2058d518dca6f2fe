import { TruncatedError } from '../common/byte-reader.ts';
import { compareBytes } from '../common/bytes.ts';
import { keyspaceKey, verifyEnvelope } from '../table/envelope.ts';
import { StorageCorruptError } from '../table/errors.ts';
import { storedKeyBytesMax } from '../table/index-entry.ts';
import type { KeyspaceStatistics } from '../table/row-sum.ts';
import { decodeHeader, decodeRows, decodeTrailer, sourceKeyspaces } from './content.ts';
import type { TransferHeader, TransferRow, TransferTrailer } from './content.ts';
import { TransferDamagedError } from './errors.ts';
import { readFrames } from './frame-reader.ts';
import { frameKind } from './frame.ts';
import type { Frame } from './frame.ts';

/** A row whose own checksum is right under the key that it has where it comes from. */
export interface CheckedRow extends TransferRow {
  readonly sourceKey: Uint8Array;
}

export type TransferPart =
  | { readonly type: 'header'; readonly header: TransferHeader }
  | {
      readonly type: 'rows';
      /** Rows in key order that were not there before; else they may replace or remove others. */
      readonly areNew: boolean;
      readonly rows: readonly CheckedRow[];
    }
  | { readonly type: 'end'; readonly trailer: TransferTrailer; readonly offset: number };

/**
 * An export, checked as it is read: header, rows, end. Whether the rows add up to the trailer's counters
 * is for whoever keeps them to see (`compareTotals`).
 */
export async function* checkedParts(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<TransferPart> {
  const checking = new StreamCheck();
  for await (const frame of readFrames(source, signal)) {
    try {
      yield checking.part(frame);
    } catch (error) {
      if (!(error instanceof TruncatedError || error instanceof StorageCorruptError)) throw error;
      throw new TransferDamagedError(frame.offset, error.message);
    }
  }
}

class StreamCheck {
  #header: TransferHeader | undefined;
  #keyspaceOf: (key: Uint8Array) => number = () => 0;
  #lastKey: Uint8Array | undefined;
  #records = 0;
  #versionMax = 0;

  part({ kind, body, offset }: Frame): TransferPart {
    if (this.#header === undefined) {
      const header = kind === frameKind.header ? decodeHeader(body) : undefined;
      if (header === undefined) throw new TransferDamagedError(offset, 'its header is none');
      this.#header = header;
      this.#keyspaceOf = sourceKeyspaces(header);
      return { type: 'header', header };
    }
    if (kind === frameKind.rows || kind === frameKind.changes) {
      const rows = Array.from(decodeRows(body), (row) => this.#checked(row, offset));
      const areNew = kind === frameKind.rows;
      if (areNew) for (const row of rows) this.#checkOrder(row, offset);
      this.#records += rows.length;
      return { type: 'rows', areNew, rows };
    }
    if (kind !== frameKind.trailer) {
      throw new TransferDamagedError(offset, `a part of kind ${kind} is unknown to this release`);
    }
    const trailer = decodeTrailer(body);
    this.#checkTrailer(trailer, offset);
    return { type: 'end', trailer, offset };
  }

  #checked(row: TransferRow, offset: number): CheckedRow {
    const sourceKey = keyspaceKey(this.#keyspaceOf(row.key), row.key);
    if (sourceKey.byteLength > storedKeyBytesMax) {
      throw new TransferDamagedError(offset, 'a key is too long');
    }
    if (row.value !== undefined) {
      this.#versionMax = Math.max(this.#versionMax, verifyEnvelope(sourceKey, row.value));
    }
    return { ...row, sourceKey };
  }

  #checkOrder({ key, value }: CheckedRow, offset: number): void {
    const isBehind = this.#lastKey === undefined || compareBytes(key, this.#lastKey) > 0;
    if (!isBehind || value === undefined) {
      throw new TransferDamagedError(offset, 'its rows are not in the order of their keys');
    }
    this.#lastKey = key;
  }

  #checkTrailer({ records, position }: TransferTrailer, offset: number): void {
    if (records !== this.#records) {
      const what = `it holds ${this.#records} rows where ${records} were written`;
      throw new TransferDamagedError(offset, what);
    }
    if (position < this.#versionMax) {
      throw new TransferDamagedError(offset, 'a row is newer than the end of the export');
    }
  }
}

/** Throws when the rows of a stream do not add up to what its end says. */
export function compareTotals(
  found: KeyspaceStatistics,
  { trailer, offset }: Extract<TransferPart, { readonly type: 'end' }>,
): void {
  const { count, bytes, hash } = trailer;
  if (found.count === count && found.bytes === bytes && found.hash === hash) return;
  const what = `its rows are ${found.count} documents of ${found.bytes} bytes where ${count} of ${bytes} bytes were exported, or differ in content`;
  throw new TransferDamagedError(offset, what);
}
