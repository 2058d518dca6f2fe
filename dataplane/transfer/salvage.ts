import { readApplied } from '../apply/applied-position.ts';
import { successor } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import type { DocumentCheck } from '../datum/document-check.ts';
import type { ApplyStore, ReadTransaction } from '../kv/store.ts';
import type { ShardRecord } from '../metadata/state.ts';
import { decodeDocument, keyInKeyspace, verifyEnvelope } from '../table/envelope.ts';
import { StorageCorruptError } from '../table/errors.ts';
import { walkMerged } from '../table/merged-walk.ts';
import { RowSum } from '../table/row-sum.ts';
import { readStatistics } from '../table/statistics.ts';
import { encodeHeader, encodeTrailer, RowsBody } from './content.ts';
import type { TransferHeader } from './content.ts';
import { encodePreface, frameBodyBytes, frameKind, FrameWriter } from './frame.ts';

/** What a salvage found; complete when its stream has ended. */
export interface Salvaged {
  rows: number;
  /** How many the table counted, and the keys of those that were there and damaged. */
  counted: number;
  readonly damaged: Uint8Array[];
}

export interface SalvageSource {
  readonly store: Pick<ApplyStore, 'read'>;
  readonly clock: Pick<Clock, 'yield'>;
  readonly documents: DocumentCheck;
  readonly shards: readonly Pick<ShardRecord, 'group' | 'keyspace'>[];
  /** Of a table that nobody writes to. */
  readonly header: Omit<TransferHeader, 'position'>;
  readonly signal: AbortSignal;
}

/**
 * An export of whatever is whole in a damaged table: an import makes a table of it as of any other.
 * What is damaged or lost is not in it, and counted in `salvaged`.
 */
export async function* salvageTable(
  { store, clock, documents, shards, header, signal }: SalvageSource,
  salvaged: Salvaged,
): AsyncGenerator<Uint8Array> {
  const position = store.read((view) =>
    Math.max(...shards.map(({ group }) => readApplied(view, group))),
  );
  salvaged.counted = store.read((view) =>
    shards.reduce((sum, { keyspace }) => sum + readStatistics(view, keyspace).count, 0),
  );
  const preface = encodePreface();
  const frames = new FrameWriter(preface);
  yield preface;
  yield frames.frame(frameKind.header, encodeHeader({ ...header, position }));
  const sum = new RowSum();
  const { primaryKey } = header.table;
  const isDocument = (storedKey: Uint8Array, value: Uint8Array): boolean => {
    const { text } = decodeDocument(storedKey, value);
    return documents.problemOf(text, { key: keyInKeyspace(storedKey), primaryKey }) === undefined;
  };
  const keyspaces = shards.map(({ keyspace }) => keyspace);
  for (let cursor: Uint8Array | undefined = new Uint8Array(); cursor !== undefined;) {
    await clock.yield();
    signal.throwIfAborted();
    const start: Uint8Array = cursor;
    const { body, next } = store.read((view) =>
      wholeRows(view, { keyspaces, start }, { sum, salvaged, isDocument }),
    );
    if (body.count > 0) yield frames.frame(frameKind.rows, body.finish());
    cursor = next;
  }
  const records = salvaged.rows;
  yield frames.frame(frameKind.trailer, encodeTrailer({ position, records, ...sum.total }));
}

/** Those of one piece; `next` is where the one behind it begins, if there is one. */
function wholeRows(
  view: ReadTransaction,
  { keyspaces, start }: { readonly keyspaces: readonly number[]; readonly start: Uint8Array },
  {
    sum,
    salvaged,
    isDocument,
  }: {
    readonly sum: RowSum;
    readonly salvaged: Salvaged;
    readonly isDocument: (storedKey: Uint8Array, value: Uint8Array) => boolean;
  },
): { readonly body: RowsBody; readonly next: Uint8Array | undefined } {
  const body = new RowsBody(frameBodyBytes);
  let next: Uint8Array | undefined;
  walkMerged(view, keyspaces, start, (storedKey, value) => {
    if (isWhole(storedKey, value) && isDocument(storedKey, value)) {
      sum.row(storedKey, value, 1);
      body.add(keyInKeyspace(storedKey), value);
      salvaged.rows += 1;
    } else salvaged.damaged.push(keyInKeyspace(storedKey));
    if (body.byteLength >= frameBodyBytes) next = successor(keyInKeyspace(storedKey));
    return next === undefined;
  });
  return { body, next };
}

function isWhole(storedKey: Uint8Array, value: Uint8Array): boolean {
  try {
    verifyEnvelope(storedKey, value);
    return true;
  } catch (error) {
    if (error instanceof StorageCorruptError) return false;
    throw error;
  }
}
