import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';

/**
 * Functions as bytes in the format of RethinkDB 2.4, so that dumps go from one database to the other:
 * a type, the captured variables, the parameters, the body as JSON and a place in a backtrace.
 * In that JSON a term ends with a number for its place, and data is always a DATUM term.
 *
 *     index   $reql_index_function$, disk version, 3 versions of ReQL, function, multi, geo
 *     hook    $reql_write_hook_function$, function
 */
const indexPrefix = '$reql_index_function$';
const hookPrefix = '$reql_write_hook_function$';

/** RethinkDB's `cluster_version_t` and `reql_version_t` of 2.4. */
const diskVersion = 9;
const languageVersion = 7;
/** Functions since RethinkDB 2.2 have their body as JSON; older ones as protocol buffers. */
const oldestDiskVersion = 7;
const kind = { reql: 0, javaScript: 1 } as const;
const term = { datum: 1, makeArray: 2, makeObject: 3, function: 69 } as const;
/** Deeper functions would overflow the stack. */
const depthMax = 500;

export interface IndexFunction {
  /** A FUNC term. */
  readonly term: unknown;
  readonly multi: boolean;
  readonly geo: boolean;
}

export function encodeHook(functionTerm: unknown): Uint8Array {
  const writer = new ByteWriter().bytes(encodeUtf8(hookPrefix));
  writeFunction(writer, functionTerm);
  return writer.finish();
}

export function encodeIndex(index: IndexFunction): Uint8Array {
  const writer = new ByteWriter().bytes(encodeUtf8(indexPrefix)).u8(diskVersion);
  for (let version = 0; version < 3; version += 1) writer.u8(languageVersion);
  writeFunction(writer, index.term);
  return writer.u8(Number(index.multi)).u8(Number(index.geo)).finish();
}

/** The FUNC term of a hook. */
export function decodeHook(bytes: Uint8Array): Decoded<unknown> {
  return decoded(bytes, hookPrefix, readFunction);
}

export function decodeIndex(bytes: Uint8Array): Decoded<IndexFunction> {
  return decoded(bytes, indexPrefix, (reader) => {
    const version = reader.u8();
    if (version < oldestDiskVersion || version > diskVersion) {
      throw new UnreadableError(`it has version ${version}`);
    }
    for (let skipped = 0; skipped < 3; skipped += 1) reader.u8();
    const body = readFunction(reader);
    return { term: body, multi: reader.u8() === 1, geo: reader.u8() === 1 };
  });
}

export type Decoded<T> =
  | { readonly type: 'decoded'; readonly value: T }
  /** It is something else: it does not begin as such a function does. */
  | { readonly type: 'foreign' }
  | { readonly type: 'unreadable'; readonly reason: string };

/** Never leaves this file. */
class UnreadableError extends Error {}

function decoded<T>(
  bytes: Uint8Array,
  prefix: string,
  read: (reader: ByteReader) => T,
): Decoded<T> {
  const start = encodeUtf8(prefix);
  if (!start.every((byte, at) => bytes[at] === byte)) return { type: 'foreign' };
  try {
    const reader = new ByteReader(bytes, start.byteLength);
    const value = read(reader);
    if (reader.remaining > 0) throw new UnreadableError(`${reader.remaining} bytes follow it`);
    return { type: 'decoded', value };
  } catch (error) {
    return { type: 'unreadable', reason: error instanceof Error ? error.message : 'unknown' };
  }
}

function writeFunction(writer: ByteWriter, functionTerm: unknown): void {
  const [, args = []] = functionTerm as [number, unknown[]?];
  const [parameters, body] = args;
  const ids = idsOf(parameters);
  // No captured variable, and no function around it.
  writer.u8(kind.reql).u8(0).u32(0);
  writeLength(writer, ids.length);
  for (const id of ids) {
    const number = Number(id);
    writer.u32(number >>> 0).u32(Math.floor(number / 2 ** 32) >>> 0);
  }
  const text = encodeUtf8(`${JSON.stringify(stored(body))}\0`);
  writer.u32(text.byteLength).bytes(text).u32(0);
}

/** The parameters of a FUNC term: an array of numbers, as a term or as it is. */
function idsOf(parameters: unknown): readonly unknown[] {
  const list =
    Array.isArray(parameters) && Array.isArray(parameters[1]) ? parameters[1] : parameters;
  return Array.isArray(list) ? (list as unknown[]) : [];
}

function readFunction(reader: ByteReader): unknown {
  const type = reader.u8();
  if (type === kind.javaScript) throw new UnreadableError('it is a function in JavaScript');
  if (type !== kind.reql) throw new UnreadableError(`it has type ${type}`);
  if (readLength(reader) > 0 || reader.u32() > 0) {
    throw new UnreadableError('it uses variables of the query that made it');
  }
  const ids: number[] = [];
  for (let count = readLength(reader); count > 0; count -= 1) {
    const low = reader.u32();
    ids.push((reader.u32() | 0) * 2 ** 32 + low);
  }
  const text = decodeUtf8(reader.bytes(reader.u32()));
  reader.u32();
  const body = read(JSON.parse(text.replace(/\0$/, '')), 0);
  return [term.function, [[term.makeArray, ids], body]];
}

/** Seven bits a byte, the lowest first. */
function writeLength(writer: ByteWriter, length: number): void {
  let rest = length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) writer.u8((rest % 0x80) | 0x80);
  writer.u8(rest);
}

function readLength(reader: ByteReader): number {
  let length = 0;
  for (let place = 0; place < 4; place += 1) {
    const byte = reader.u8();
    length += (byte & 0x7f) * 2 ** (7 * place);
    if (byte < 0x80) return length;
  }
  throw new UnreadableError('a length in it has more than 28 bits');
}

/** A term of the wire as RethinkDB stores it. */
function stored(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return [term.datum, value, 0];
  if (!Array.isArray(value)) return [term.makeObject, mapped(value, stored), 0];
  const [number, args = [], options = {}] = value as [number, unknown[]?, object?];
  const own = args.map(stored);
  return Object.keys(options).length === 0
    ? [number, own, 0]
    : [number, own, mapped(options, stored), 0];
}

/** The way back. */
function read(value: unknown, depth: number): unknown {
  if (!Array.isArray(value) || typeof value[0] !== 'number') {
    throw new UnreadableError('a term in it is none');
  }
  if (depth > depthMax) throw new UnreadableError('it is nested too deeply');
  const [number, ...parts] = value as [number, ...unknown[]];
  if (number === term.datum) return data(parts[0]);
  // The last part is the place.
  const inner = parts.slice(0, -1);
  const args = inner.find(Array.isArray) as unknown[] | undefined;
  const options = inner.find((part) => !Array.isArray(part)) as object | undefined;
  const ownArgs = (args ?? []).map((each) => read(each, depth + 1));
  if (options === undefined) return [number, ownArgs];
  const ownOptions = mapped(options, (each) => read(each, depth + 1));
  return number === term.makeObject ? ownOptions : [number, ownArgs, ownOptions];
}

/** Data as a term: on the wire an array stands for a term. */
function data(value: unknown): unknown {
  if (Array.isArray(value)) return [term.makeArray, value.map(data)];
  if (typeof value !== 'object' || value === null) return value;
  return mapped(value, data);
}

const mapped = (object: object, change: (value: unknown) => unknown): object =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
