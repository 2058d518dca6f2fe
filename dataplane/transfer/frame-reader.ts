import { ByteReader } from '../common/byte-reader.ts';
import { concatBytes, crc32, noBytes } from '../common/bytes.ts';
import { TransferDamagedError, TransferFormatError } from './errors.ts';
import {
  frameBodyBytesMax,
  frameKind,
  frameOverheadBytes,
  prefaceBytes,
  streamFormat,
  streamMagic,
} from './frame.ts';
import type { Frame } from './frame.ts';

/** Bytes of a source whose pieces have any length. Holds what was asked for, and one piece more. */
class ByteSource implements AsyncDisposable {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal;
  #held: Uint8Array = noBytes;
  offset = 0;

  constructor(source: AsyncIterable<Uint8Array>, signal: AbortSignal) {
    this.#pieces = source[Symbol.asyncIterator]();
    this.#signal = signal;
  }

  /** Fewer only at the end. */
  async take(count: number): Promise<Uint8Array> {
    const parts = [this.#held];
    let length = this.#held.byteLength;
    while (length < count) {
      const { done, value } = await unlessAborted(this.#pieces.next(), this.#signal);
      if (done === true) break;
      parts.push(value);
      length += value.byteLength;
    }
    const all = parts.length === 1 ? this.#held : concatBytes(parts);
    const taken = all.subarray(0, count);
    this.#held = all.subarray(taken.byteLength);
    this.offset += taken.byteLength;
    return taken;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A source without data may not notice its end either.
    if (!this.#signal.aborted) await this.#pieces.return?.();
  }
}

/** Rejects with the signal's reason as soon as it is aborted. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function readPreface(source: ByteSource): Promise<Uint8Array> {
  const preface = await source.take(prefaceBytes);
  if (preface.byteLength < prefaceBytes) throw new TransferDamagedError(0, 'it ends early');
  const reader = new ByteReader(preface);
  if (reader.u32() !== streamMagic) {
    throw new TransferFormatError('This is no export of a table: it begins with other bytes.');
  }
  const format = reader.u32();
  if (format !== streamFormat) {
    throw new TransferFormatError(
      `The export has format ${format}; this release reads format ${streamFormat}.`,
    );
  }
  return preface;
}

/**
 * The frames of an export, each checked before it is handed out, the trailer last. Throws
 * `replication.transfer_damaged` for anything that is not as it was written, and for bytes behind it.
 */
export async function* readFrames(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  await using bytes = new ByteSource(source, signal);
  let crc = crc32(await readPreface(bytes));
  for (let isLast = false; !isLast;) {
    const { offset } = bytes;
    const frame = await readFrame(bytes, crc);
    crc = frame.crc;
    isLast = frame.kind === frameKind.trailer;
    // What follows the trailer is looked at before it is believed.
    if (isLast && (await bytes.take(1)).byteLength > 0) {
      throw new TransferDamagedError(bytes.offset, 'something follows its end');
    }
    yield { kind: frame.kind, body: frame.body, offset };
  }
}

async function readFrame(
  source: ByteSource,
  before: number,
): Promise<{ readonly kind: number; readonly body: Uint8Array; readonly crc: number }> {
  const { offset } = source;
  const headBytes = 5;
  const head = await source.take(headBytes);
  if (head.byteLength < headBytes) throw new TransferDamagedError(offset, 'it ends early');
  const reader = new ByteReader(head);
  const [kind, length] = [reader.u8(), reader.u32()];
  if (length > frameBodyBytesMax) throw new TransferDamagedError(offset, 'a length is wrong');
  const rest = await source.take(length + frameOverheadBytes - headBytes);
  if (rest.byteLength < length + frameOverheadBytes - headBytes) {
    throw new TransferDamagedError(offset, 'it ends early');
  }
  const body = rest.subarray(0, length);
  const crc = crc32(body, crc32(head, before));
  if (crc !== new ByteReader(rest, length).u32()) {
    throw new TransferDamagedError(offset, 'a checksum is wrong');
  }
  return { kind, body, crc };
}
