import type { ByteReader } from '../common/byte-reader.ts';
import type { ByteWriter } from '../common/byte-writer.ts';
import { readUtf8 } from '../common/utf8.ts';
import { TableMessageError } from './errors.ts';

/** Fields of messages between queries and shards. Nothing is allocated for a count before there are bytes for it. */

export function textOf(reader: ByteReader): string {
  const text = readUtf8(reader.prefixed());
  if (typeof text === 'string') return text;
  throw new TableMessageError(`A text is not UTF-8 at byte ${text.position}: ${text.reason}.`);
}

export function flagOf(reader: ByteReader): boolean {
  const byte = reader.u8();
  if (byte > 1) throw new TableMessageError(`A flag is ${byte}.`);
  return byte === 1;
}

/** Of items that have at least so many bytes. */
export function countOf(reader: ByteReader, most: number, bytesMin: number): number {
  const count = reader.u32();
  if (count > most) throw new TableMessageError(`It announces ${count} items: ${most} at most.`);
  if (count * bytesMin > reader.remaining)
    throw new TableMessageError(`It announces ${count} items in ${reader.remaining} bytes.`);
  return count;
}

export function oneOf<T>(all: readonly T[], number: number, what: string): T {
  const found = all[number];
  if (found === undefined) throw new TableMessageError(`No ${what} has the number ${number}.`);
  return found;
}

export function writeOptional<T>(
  writer: ByteWriter,
  value: T | undefined,
  write: (writer: ByteWriter, value: T) => unknown,
): void {
  writer.u8(value === undefined ? 0 : 1);
  if (value !== undefined) write(writer, value);
}

export const optional = <T>(reader: ByteReader, read: (reader: ByteReader) => T): T | undefined =>
  flagOf(reader) ? read(reader) : undefined;
