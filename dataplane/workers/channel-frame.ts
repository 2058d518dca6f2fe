import { Packr } from 'msgpackr';
import { ChannelFrameError } from './errors.ts';

/**
 * What the core and a query worker exchange: a u32 length of what follows, a u8 kind, a u32 number of the request,
 * and the body in MessagePack. Numbers are little endian. Guarded invariant: nothing is allocated for a length that
 * is above the limit, and bytes of any kind give a frame or a ChannelFrameError, nothing else.
 */
export const frameKinds = ['request', 'answer', 'failure', 'cancel', 'notice'] as const;
type FrameKind = (typeof frameKinds)[number];

export interface ChannelFrame {
  readonly kind: FrameKind;
  /** Of the request that it belongs to; 0 for a notice. */
  readonly id: number;
  readonly body: unknown;
}

const headerBytes = 4;
const prefixBytes = 5;

const packr = new Packr({ useRecords: false, moreTypes: false, int64AsType: 'number' });

export function encodeChannelFrame({ kind, id, body }: ChannelFrame): Buffer {
  const packed = packr.pack(body);
  const bytes = Buffer.allocUnsafe(headerBytes + prefixBytes + packed.length);
  bytes.writeUInt32LE(prefixBytes + packed.length, 0);
  bytes.writeUInt8(frameKinds.indexOf(kind), headerBytes);
  bytes.writeUInt32LE(id, headerBytes + 1);
  bytes.set(packed, headerBytes + prefixBytes);
  return bytes;
}

/** `bytes` is a frame without its length. */
function decode(bytes: Buffer): ChannelFrame {
  const kind = frameKinds[bytes.readUInt8(0)];
  if (kind === undefined) throw new ChannelFrameError('A frame has an unknown kind.');
  try {
    return { kind, id: bytes.readUInt32LE(1), body: packr.unpack(bytes.subarray(prefixBytes)) };
  } catch (error) {
    throw new ChannelFrameError('The body of a frame cannot be read.', { cause: error });
  }
}

/** Cuts a stream of bytes into frames; holds at most one frame and one chunk. */
export class ChannelFrameReader {
  readonly #frameBytesMax: number;
  #chunks: Buffer[] = [];
  #held = 0;
  /** Of the frame that is being received, once its length is known. */
  #wanted = headerBytes;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  *push(chunk: Buffer): Generator<ChannelFrame> {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    // A large frame is joined once, when it is whole.
    if (this.#held < this.#wanted) return;
    const joined = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#held);
    let at = 0;
    this.#wanted = headerBytes;
    while (joined.length - at >= headerBytes) {
      const length = joined.readUInt32LE(at);
      if (length < prefixBytes || length > this.#frameBytesMax)
        throw new ChannelFrameError(
          `A frame announces ${length} bytes; ${prefixBytes} to ${this.#frameBytesMax} are allowed.`,
        );
      this.#wanted = headerBytes + length;
      if (joined.length - at < this.#wanted) break;
      const start = at + headerBytes;
      at += this.#wanted;
      this.#wanted = headerBytes;
      yield decode(joined.subarray(start, at));
    }
    this.#chunks = at === joined.length ? [] : [joined.subarray(at)];
    this.#held = joined.length - at;
  }
}
