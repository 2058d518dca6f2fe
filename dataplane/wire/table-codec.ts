import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { answerDocumentsMax } from './edit-answer.ts';
import {
  readBatch,
  readFailure,
  readOutcomes,
  writeBatch,
  writeFailure,
  writeOutcomes,
} from './edit-codec.ts';
import type { Trust } from './edit-codec.ts';
import { TableMessageError } from './errors.ts';
import { pushedOf, pushedText } from './pushed-codec.ts';
import type { Made } from './pushed-scan.ts';
import { countOf, flagOf, oneOf, optional, textOf, writeOptional } from './table-fields.ts';
import { readModes } from './table-access.ts';
import type { IndexPosition, IndexRow, Order, Row } from './table-access.ts';
import type {
  ScanAnswer,
  ScanRequest,
  ShardMoved,
  TableAnswer,
  TableMessageKind,
  TableMessages,
  TableRequest,
} from './table-messages.ts';

/**
 * Requests to shards and their answers as bytes: a u8 format, then the fields; numbers are little endian, texts and
 * keys have a u32 length. Guarded invariant: any bytes give a message or a typed error, and nothing is allocated for
 * what they only announce.
 */
const format = 1;
/** Of requests with a read mode, or an end in an index: an older release, which knows neither, refuses them. */
const formatWithMore = 2;
/** A document of the largest size with its surroundings. */
export const tableMessageBytesMax = answerDocumentsMax + 1_048_576;
const rowsMax = 1_000_000;

interface Half<T> {
  readonly write: (writer: ByteWriter, body: T) => unknown;
  readonly read: (reader: ByteReader, trust: Trust) => T;
}

/** Every kind of message is written and read: the table has each of them. */
const codecs: {
  readonly [K in TableMessageKind]: {
    readonly number: number;
    readonly request: Half<TableMessages[K]['request']>;
    readonly answer: Half<TableMessages[K]['answer']>;
  };
} = {
  get: {
    number: 1,
    request: {
      write: (writer, { key }) => writer.prefixed(key),
      read: (reader) => ({ key: reader.prefixed() }),
    },
    answer: {
      write: (writer, { text }) => writeOptional(writer, text, (to, value) => to.text(value)),
      read: (reader) => ({ text: optional(reader, textOf) }),
    },
  },
  edit: {
    number: 2,
    request: { write: writeBatch, read: readBatch },
    answer: { write: writeOutcomes, read: readOutcomes },
  },
  scan: {
    number: 3,
    request: { write: writeScan, read: readScan },
    answer: { write: writeRows, read: readRows },
  },
  count: {
    number: 4,
    request: { write: () => undefined, read: () => undefined },
    answer: {
      write: (writer, { count }) => writer.u64(count),
      read: (reader) => ({ count: reader.u64() }),
    },
  },
  sync: {
    number: 5,
    request: { write: () => undefined, read: () => undefined },
    answer: { write: () => undefined, read: () => undefined },
  },
};

const kinds = new Map(
  (Object.keys(codecs) as TableMessageKind[]).map((kind) => [codecs[kind].number, kind]),
);

const orders = ['ascending', 'descending'] as const satisfies readonly Order[];
const bytesOf = (reader: ByteReader): Uint8Array => reader.prefixed();
const writeBytes = (writer: ByteWriter, bytes: Uint8Array): unknown => writer.prefixed(bytes);

const writePosition = (writer: ByteWriter, { indexKey, key }: IndexPosition): unknown =>
  writer.prefixed(indexKey).prefixed(key);
const readPosition = (reader: ByteReader): IndexPosition => {
  return { indexKey: reader.prefixed(), key: reader.prefixed() };
};

function writeScan(
  writer: ByteWriter,
  { index, range, order, after, rows, bytes, pushed }: ScanRequest,
): void {
  writeOptional(writer, index, (to, name) => to.text(name));
  writeOptional(writer, range.start, writeBytes);
  writeOptional(writer, range.end, writeBytes);
  writer.u8(orders.indexOf(order));
  writeOptional(writer, after, writePosition);
  writer.u64(rows).u64(bytes);
  writeOptional(writer, pushed, (to, each) => to.text(pushedText(each)));
}

function readScan(reader: ByteReader): ScanRequest {
  const index = optional(reader, textOf);
  const [start, end] = [optional(reader, bytesOf), optional(reader, bytesOf)];
  const order = oneOf(orders, reader.u8(), 'order');
  const after = optional(reader, readPosition);
  const range = {
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
  };
  const [rows, bytes] = [reader.u64(), reader.u64()];
  const pushed = optional(reader, (from) => pushedOf(textOf(from)));
  return { index, range, order, after, rows, bytes, pushed };
}

function writeRows(writer: ByteWriter, rows: ScanAnswer): void {
  writer.u8(rows === undefined ? 0 : 1);
  if (rows === undefined) return;
  writer.u32(rows.length);
  for (const row of rows) {
    writer.prefixed(row.key).text(row.text);
    writeOptional(writer, 'indexKey' in row ? row.indexKey : undefined, writeBytes);
    writeMade(writer, row.made);
  }
}

function readRows(reader: ByteReader): ScanAnswer {
  if (!flagOf(reader)) return undefined;
  const rows: (Row | IndexRow)[] = [];
  for (let left = countOf(reader, rowsMax, rowBytesMin); left > 0; left -= 1) {
    const [key, text] = [reader.prefixed(), textOf(reader)];
    const indexKey = optional(reader, bytesOf);
    const made = readMade(reader);
    rows.push({
      key,
      text,
      ...(indexKey === undefined ? {} : { indexKey }),
      ...(made === undefined ? {} : { made }),
    });
  }
  return rows;
}

const rowBytesMin = 10;

/** What became of a row: nothing yet, kept as it is, or values. */
const [left, kept, values] = [0, 1, 2];

function writeMade(writer: ByteWriter, made: Made | undefined): void {
  if (made === undefined) writer.u8(left);
  else if (made === 'kept') writer.u8(kept);
  else {
    writer.u8(values).u32(made.length);
    for (const text of made) writer.text(text);
  }
}

function readMade(reader: ByteReader): Made | undefined {
  const number = reader.u8();
  if (number === left) return undefined;
  if (number === kept) return 'kept';
  if (number !== values) throw new TableMessageError(`No row becomes ${number}.`);
  const texts: string[] = [];
  for (let count = countOf(reader, rowsMax, 4); count > 0; count -= 1) texts.push(textOf(reader));
  return texts;
}

export function encodeTableRequest(request: TableRequest): Uint8Array {
  const { to, kind, body } = request;
  const writer = new ByteWriter();
  const { mode = 'single' } = to;
  const until = kind === 'scan' ? body.until : undefined;
  const hasMore = mode !== 'single' || until !== undefined;
  writer.u8(hasMore ? formatWithMore : format).u8(codecs[kind].number);
  writer.text(to.table).u32(to.shard).u64(to.epoch);
  if (hasMore) {
    writer.u8(readModes.indexOf(mode));
    writeOptional(writer, until, writePosition);
  }
  (codecs[kind].request as Half<unknown>).write(writer, body);
  return writer.finish();
}

export function decodeTableRequest(bytes: Uint8Array, trust: Trust): TableRequest {
  const reader = readerOf(bytes, formatWithMore);
  const hasMore = bytes[0] === formatWithMore;
  const number = reader.u8();
  const kind = kinds.get(number);
  if (kind === undefined) throw new TableMessageError(`No request has the number ${number}.`);
  const place = { table: textOf(reader), shard: reader.u32(), epoch: reader.u64() };
  const mode = hasMore ? oneOf(readModes, reader.u8(), 'read mode') : 'single';
  const until = hasMore ? optional(reader, readPosition) : undefined;
  const body = codecs[kind].request.read(reader, trust);
  requireEnd(reader);
  return {
    to: mode === 'single' ? place : { ...place, mode },
    kind,
    body: kind === 'scan' && until !== undefined ? { ...(body as ScanRequest), until } : body,
  } as TableRequest;
}

export function encodeTableAnswer<K extends TableMessageKind>(
  kind: K,
  answer: TableAnswer<K>,
): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(format).u8(answerTypes.indexOf(answer.type));
  if (answer.type === 'failed') writeFailure(writer, answer.failure);
  else if (answer.type === 'moved') writeMoved(writer, answer.moved);
  else codecs[kind].answer.write(writer, answer.body);
  return writer.finish();
}

/** Of an answer that says so; undefined for any other, whatever it holds. */
export function movedOf(answer: Uint8Array): ShardMoved | undefined {
  if (answer[1] !== answerTypes.indexOf('moved')) return undefined;
  const decoded = decodeTableAnswer('sync', answer);
  return decoded.type === 'moved' ? decoded.moved : undefined;
}

export function decodeTableAnswer<K extends TableMessageKind>(
  kind: K,
  bytes: Uint8Array,
): TableAnswer<K> {
  const reader = readerOf(bytes);
  const answer = answerOf(kind, reader);
  requireEnd(reader);
  return answer;
}

function answerOf<K extends TableMessageKind>(kind: K, reader: ByteReader): TableAnswer<K> {
  const type = oneOf(answerTypes, reader.u8(), 'answer');
  if (type === 'failed') return { type, failure: readFailure(reader) };
  if (type === 'moved') return { type, moved: readMoved(reader) };
  return { type, body: codecs[kind].answer.read(reader, { believesChecks: false }) };
}

const answerTypes = [
  'failed',
  'done',
  'moved',
] as const satisfies readonly TableAnswer<'get'>['type'][];

function writeMoved(writer: ByteWriter, { leader, epoch }: ShardMoved): void {
  writeOptional(writer, leader, (to, id) => to.text(id));
  writer.u64(epoch);
}

const readMoved = (reader: ByteReader): ShardMoved => {
  const leader = optional(reader, textOf);
  return { leader, epoch: reader.u64() };
};

function readerOf(bytes: Uint8Array, newest = format): ByteReader {
  if (bytes.byteLength > tableMessageBytesMax)
    throw new TableMessageError(
      `It has ${bytes.byteLength} bytes: ${tableMessageBytesMax} at most.`,
    );
  const reader = new ByteReader(bytes);
  const found = reader.u8();
  if (found < format || found > newest)
    throw new TableMessageError(`It has format ${found}, and this release reads ${newest}.`);
  return reader;
}

function requireEnd({ remaining }: ByteReader): void {
  if (remaining > 0) throw new TableMessageError(`It has ${remaining} bytes behind its end.`);
}
