import { readApplied } from '../apply/applied-position.ts';
import type { TouchedKeys } from '../apply/touched-keys.ts';
import { compareBytes, successor } from '../common/bytes.ts';
import type { Clock } from '../common/clock.ts';
import type { ApplyStore, ReadTransaction } from '../kv/store.ts';
import type { ShardRecord } from '../metadata/state.ts';
import { keyspaceKey, keyspaceOf, verifyEnvelope } from '../table/envelope.ts';
import { walkMerged } from '../table/merged-walk.ts';
import { RowSum } from '../table/row-sum.ts';
import type { KeyspaceStatistics } from '../table/row-sum.ts';
import { readStatistics } from '../table/statistics.ts';
import { encodeHeader, encodeTrailer, RowsBody } from './content.ts';
import type { TransferHeader, TransferTrailer } from './content.ts';
import { ExportBehindError, ExportIncompleteError } from './errors.ts';
import { encodePreface, frameBodyBytes, frameKind, FrameWriter } from './frame.ts';

/**
 * A table as a stream: a walk in key order, and behind the walk the rows again that changed since they
 * were written. No view of the store lives longer than it takes to fill one piece. Guarded invariant:
 * whoever replays the stream in order has the table as it was at the trailer's position.
 */
export interface ExportSource {
  readonly store: Pick<ApplyStore, 'read'>;
  readonly clock: Pick<Clock, 'yield'>;
  /** `database.table`, for sentences. */
  readonly name: string;
  readonly header: Omit<TransferHeader, 'position'>;
  readonly shards: readonly ExportShard[];
  /** Asked before each piece; throws when the table may not be read any more. */
  check(): void;
  readonly signal: AbortSignal;
}

/** One of the table's. */
interface ExportShard extends Pick<ShardRecord, 'group' | 'keyspace'> {
  /** Receives its changes since before the first read of the store. */
  readonly touched: TouchedKeys;
}

/** At the end all changes go in one view, so this bounds the memory of an export. */
const lastChangesBytesMax = 8 * 1_048_576;
/** So often the last changes may be too many for one view. */
const catchUpsMax = 1_000;

/** What one view of the store gives. */
interface Piece {
  readonly changes: readonly RowsBody[];
  readonly rows: RowsBody;
  /** There when the stream is whole with this piece. */
  readonly trailer: Omit<TransferTrailer, 'records'> | undefined;
}

export async function* exportTable(source: ExportSource): AsyncGenerator<Uint8Array> {
  const walk = new ExportWalk(source);
  const preface = encodePreface();
  const frames = new FrameWriter(preface);
  yield preface;
  yield frames.frame(frameKind.header, encodeHeader({ ...source.header, position: walk.position }));
  let records = 0;
  for (;;) {
    // Requests get their turn between two pieces, however fast the reader is.
    await source.clock.yield();
    source.signal.throwIfAborted();
    source.check();
    const { changes, rows, trailer } = walk.next();
    records += changes.reduce((sum, body) => sum + body.count, rows.count);
    for (const body of changes) yield frames.frame(frameKind.changes, body.finish());
    if (rows.count > 0) yield frames.frame(frameKind.rows, rows.finish());
    if (trailer === undefined) continue;
    yield frames.frame(frameKind.trailer, encodeTrailer({ ...trailer, records }));
    return;
  }
}

/** The rows of shards in key order, and those that change meanwhile. */
export class ExportWalk {
  readonly #source: Pick<ExportSource, 'store' | 'name' | 'shards'>;
  readonly #keyspaces: readonly number[];
  /** By keyspace: what the walk has sent. */
  readonly #sent: ReadonlyMap<number, RowSum>;
  /** The first key that was not walked over yet; undefined behind the last one. */
  #cursor: Uint8Array | undefined = new Uint8Array();
  #hasChanges = false;
  #catchUps = 0;

  constructor(source: Pick<ExportSource, 'store' | 'name' | 'shards'>) {
    this.#source = source;
    this.#keyspaces = source.shards.map(({ keyspace }) => keyspace);
    this.#sent = new Map(this.#keyspaces.map((keyspace) => [keyspace, new RowSum()]));
  }

  get position(): number {
    return this.#source.store.read((view) => this.#positionIn(view));
  }

  #positionIn(view: ReadTransaction): number {
    return Math.max(...this.#source.shards.map(({ group }) => readApplied(view, group)));
  }

  /** `atEnd` reads the view that the last piece is of. */
  next(atEnd?: (view: ReadTransaction) => void): Piece {
    return this.#source.store.read((view) => {
      const position = this.#positionIn(view);
      const { changes, areAll } = this.#changes(view);
      const rows = this.#rows(view);
      const isWhole = areAll && this.#cursor === undefined;
      if (!isWhole) return { changes, rows, trailer: undefined };
      atEnd?.(view);
      const total = new RowSum();
      for (const keyspace of this.#keyspaces) {
        const statistics = readStatistics(view, keyspace);
        this.#compare(keyspace, statistics);
        total.add(statistics);
      }
      return { changes, rows, trailer: { position, ...total.total } };
    });
  }

  /** Rows that were walked over and have changed, as they are now; those to come are seen by the walk. */
  #changes(view: ReadTransaction): {
    readonly changes: readonly RowsBody[];
    readonly areAll: boolean;
  } {
    const bytesMax = this.#cursor === undefined ? lastChangesBytesMax : frameBodyBytes;
    const bodies: RowsBody[] = [];
    let bytes = 0;
    for (const { group, keyspace, touched } of this.#source.shards) {
      if (touched.isOverflown)
        throw new ExportBehindError('too many keys changed between two pieces');
      const position = readApplied(view, group);
      for (const touch of touched.all()) {
        if (this.#cursor === undefined || compareBytes(touch.key, this.#cursor) < 0) {
          if (bytes >= bytesMax) {
            this.#countCatchUp();
            return { changes: bodies, areAll: false };
          }
          const storedKey = keyspaceKey(keyspace, touch.key);
          bytes += addTo(bodies, touch.key, this.#valueOf(view, storedKey));
        }
        // A change that this view does not show yet is looked at again.
        if (touch.index <= position) touched.forget(touch);
      }
    }
    return { changes: bodies, areAll: true };
  }

  #valueOf(view: ReadTransaction, storedKey: Uint8Array): Uint8Array | undefined {
    this.#hasChanges = true;
    const value = view.peek('data', storedKey);
    if (value !== undefined) verifyEnvelope(storedKey, value);
    return value;
  }

  #countCatchUp(): void {
    if (this.#cursor !== undefined) return;
    this.#catchUps += 1;
    if (this.#catchUps > catchUpsMax) throw new ExportBehindError('its end is never reached');
  }

  #rows(view: ReadTransaction): RowsBody {
    const body = new RowsBody(this.#cursor === undefined ? 0 : frameBodyBytes);
    if (this.#cursor === undefined) return body;
    let next: Uint8Array | undefined;
    walkMerged(view, this.#keyspaces, this.#cursor, (storedKey, value) => {
      verifyEnvelope(storedKey, value);
      this.#sent.get(keyspaceOf(storedKey))?.row(storedKey, value, 1);
      const key = storedKey.subarray(4);
      body.add(key, value);
      if (body.byteLength >= frameBodyBytes) next = successor(key);
      return next === undefined;
    });
    this.#cursor = next;
    return body;
  }

  /** A row that was sent twice was counted once, as it was: only a table at rest can be compared. */
  #compare(keyspace: number, counted: KeyspaceStatistics): void {
    const sent = this.#sent.get(keyspace);
    if (this.#hasChanges || sent === undefined) return;
    const { count, bytes, hash } = sent.total;
    if (count === counted.count && bytes === counted.bytes && hash === counted.hash) return;
    throw new ExportIncompleteError(
      this.#source.name,
      `it counts ${counted.count} documents of ${counted.bytes} bytes, and ${count} of ${bytes} bytes were found`,
    );
  }
}

/** Answers the bytes that it took. */
function addTo(bodies: RowsBody[], key: Uint8Array, value: Uint8Array | undefined): number {
  let body = bodies.at(-1);
  if (body === undefined || body.byteLength >= frameBodyBytes) {
    body = new RowsBody(4_096);
    bodies.push(body);
  }
  const before = body.byteLength;
  body.add(key, value);
  return body.byteLength - before;
}
