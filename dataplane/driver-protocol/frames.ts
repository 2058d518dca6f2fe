import { isUtf8 } from 'node:buffer';

/**
 * Frames of both directions: token (u64), length (u32), JSON text, little endian. The reader takes bytes
 * in any pieces and copies each byte once.
 */
export type FrameEvent =
  /** No text: the bytes are no UTF-8. */
  | { readonly type: 'query'; readonly token: bigint; readonly text: string | undefined }
  /** A text that takes so long to be read that it is read in steps. */
  | { readonly type: 'long'; readonly token: bigint; readonly bytes: Buffer }
  | { readonly type: 'oversized'; readonly token: bigint; readonly length: number }
  /** What was oversized has gone by; nothing else comes. */
  | { readonly type: 'end' };

const headBytes = 12;

/** JSON.parse takes a millisecond or two for so many bytes. */
const shortBytes = 262_144;

export class FrameReader {
  readonly #queryBytesMax: number;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #received = 0;
  #head: { readonly token: bigint; readonly length: number } | undefined;
  #toDrop: number | undefined;

  constructor(queryBytesMax: number) {
    this.#queryBytesMax = queryBytesMax;
  }

  /** Whether a frame has begun that is not whole. */
  get isPartial(): boolean {
    return this.#bytes > 0 || this.#head !== undefined || this.#toDrop !== undefined;
  }

  /** Bytes that no frame was made of yet. */
  get bufferedBytes(): number {
    return this.#bytes;
  }

  /** Total bytes: shows progress. */
  get received(): number {
    return this.#received;
  }

  push(bytes: Buffer): void {
    this.#received += bytes.length;
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
  }

  /** The next frame; undefined when more bytes are needed. */
  next(): FrameEvent | undefined {
    if (this.#toDrop !== undefined) return this.#drop(this.#toDrop);
    if (this.#head === undefined) {
      if (this.#bytes < headBytes) return undefined;
      const bytes = this.#take(headBytes);
      this.#head = { token: bytes.readBigUInt64LE(0), length: bytes.readUInt32LE(8) };
    }
    const { token, length } = this.#head;
    if (length > this.#queryBytesMax) {
      this.#toDrop = length;
      return { type: 'oversized', token, length };
    }
    if (this.#bytes < length) return undefined;
    this.#head = undefined;
    const body = this.#take(length);
    if (length > shortBytes) return { type: 'long', token, bytes: body };
    return { type: 'query', token, text: textOf(body) };
  }

  #drop(left: number): FrameEvent | undefined {
    this.#toDrop = left - this.#bytes;
    this.#pieces = [];
    this.#bytes = 0;
    return this.#toDrop <= 0 ? { type: 'end' } : undefined;
  }

  #take(length: number): Buffer {
    this.#bytes -= length;
    const first = this.#pieces[0];
    if (first !== undefined && first.length > length) {
      this.#pieces[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    if (first !== undefined && first.length === length) {
      this.#pieces.shift();
      return first;
    }
    const taken: Buffer[] = [];
    let missing = length;
    let used = 0;
    for (const piece of this.#pieces) {
      if (missing === 0) break;
      if (piece.length > missing) {
        taken.push(piece.subarray(0, missing));
        this.#pieces[used] = piece.subarray(missing);
        missing = 0;
        break;
      }
      taken.push(piece);
      missing -= piece.length;
      used += 1;
    }
    this.#pieces.splice(0, used);
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken, length);
  }
}

/** What stands for bytes that are no text is in the text then; it may be in one that is, too. */
const replacement = '\u{FFFD}';

function textOf(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8');
  return text.includes(replacement) && !isUtf8(bytes) ? undefined : text;
}

export function encodeFrame(token: bigint, json: string): Buffer {
  const length = Buffer.byteLength(json);
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame.writeBigUInt64LE(token, 0);
  frame.writeUInt32LE(length, 8);
  frame.write(json, headBytes, 'utf8');
  return frame;
}
