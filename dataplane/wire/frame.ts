import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { PhotonError } from '../common/errors.ts';
import { FrameError } from './errors.ts';

/**
 * What two nodes exchange over one connection. A frame is a u32 length of what follows, a u8 kind, and the
 * fields of the kind; numbers are little endian, texts and payloads have a u32 length. Guarded invariant:
 * nothing is allocated for a length that a peer claims and that is above the limit.
 */
export const priorities = ['consensus', 'interactive', 'bulk'] as const;
/** Heartbeats and votes; requests of clients; snapshots and other transfers. */
export type Priority = (typeof priorities)[number];

export type Frame =
  /** The first one in each direction: who speaks, and which versions of this protocol it speaks. */
  | {
      readonly kind: 'hello';
      readonly versionMin: number;
      readonly versionMax: number;
      readonly clusterId: string;
      readonly nodeId: string;
    }
  /** `deadlineMs`: how long the sender waits, from the moment that the frame arrives. */
  | {
      readonly kind: 'request' | 'open';
      readonly id: number;
      readonly type: number;
      readonly priority: Priority;
      readonly deadlineMs: number;
      readonly payload: Uint8Array;
    }
  | { readonly kind: 'response' | 'item'; readonly id: number; readonly payload: Uint8Array }
  | { readonly kind: 'end' | 'cancel'; readonly id: number }
  /** What follows an `open`: a request in parts. Its answer comes in parts too: `item`, and a `response` at the end. */
  | {
      readonly kind: 'part';
      readonly id: number;
      readonly isLast: boolean;
      readonly payload: Uint8Array;
    }
  /** Has no answer, and may be lost. */
  | { readonly kind: 'notice'; readonly type: number; readonly payload: Uint8Array }
  | {
      readonly kind: 'failure';
      readonly id: number;
      readonly code: string;
      readonly message: string;
    }
  /** The receiver of a stream takes so many bytes more. */
  | { readonly kind: 'credit'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'ping' | 'pong'; readonly nonce: number }
  | { readonly kind: 'bye'; readonly code: string; readonly message: string };

type FrameKind = Frame['kind'];

const magic = 0x52504850;
/** Of a whole frame; larger payloads go as streams. */
export const frameBytesMax = 4 * 1_048_576;
const textBytesMax = 4_096;

const numbers: Readonly<Record<FrameKind, number>> = {
  hello: 1,
  request: 2,
  open: 3,
  response: 4,
  item: 5,
  end: 6,
  cancel: 7,
  failure: 8,
  credit: 9,
  ping: 10,
  pong: 11,
  bye: 12,
  part: 13,
  notice: 14,
};
const kinds = new Map(Object.entries(numbers).map(([kind, number]) => [number, kind as FrameKind]));

function writeFields(writer: ByteWriter, frame: Frame): void {
  switch (frame.kind) {
    case 'hello':
      writer.u32(magic).u16(frame.versionMin).u16(frame.versionMax);
      writer.text(frame.clusterId).text(frame.nodeId);
      return;
    case 'request':
    case 'open':
      writer.u32(frame.id).u16(frame.type).u8(priorities.indexOf(frame.priority));
      writer.u32(frame.deadlineMs).prefixed(frame.payload);
      return;
    case 'response':
    case 'item':
      writer.u32(frame.id).prefixed(frame.payload);
      return;
    case 'end':
    case 'cancel':
      writer.u32(frame.id);
      return;
    case 'failure':
      writer.u32(frame.id).text(frame.code).text(frame.message);
      return;
    case 'credit':
      writer.u32(frame.id).u32(frame.bytes);
      return;
    case 'part':
      writer.u32(frame.id).u8(Number(frame.isLast)).prefixed(frame.payload);
      return;
    case 'notice':
      writer.u16(frame.type).prefixed(frame.payload);
      return;
    case 'ping':
    case 'pong':
      writer.u32(frame.nonce);
      return;
    case 'bye':
      writer.text(frame.code).text(frame.message);
  }
}

export function encodeFrame(frame: Frame): Uint8Array {
  const writer = new ByteWriter();
  writer.u32(0).u8(numbers[frame.kind]);
  writeFields(writer, frame);
  const bytes = writer.finish();
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, bytes.byteLength - 4, true);
  return bytes;
}

function text(reader: ByteReader): string {
  const bytes = reader.prefixed();
  if (bytes.byteLength > textBytesMax) throw new FrameError('A text of a frame is too long.');
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

function readPriority(number: number): Priority {
  const priority = priorities[number];
  if (priority === undefined) throw new FrameError(`No priority has the number ${number}.`);
  return priority;
}

function readHello(reader: ByteReader): Frame {
  if (reader.u32() !== magic) {
    throw new FrameError('The peer does not speak the protocol between PhotonDB nodes.');
  }
  const [versionMin, versionMax] = [reader.u16(), reader.u16()];
  return { kind: 'hello', versionMin, versionMax, clusterId: text(reader), nodeId: text(reader) };
}

function readPart(reader: ByteReader): Frame {
  const [id, last] = [reader.u32(), reader.u8()];
  if (last > 1) throw new FrameError(`The end of a request is ${last}.`);
  return { kind: 'part', id, isLast: last === 1, payload: reader.prefixed() };
}

function readFields(kind: FrameKind, reader: ByteReader): Frame {
  switch (kind) {
    case 'hello':
      return readHello(reader);
    case 'request':
    case 'open': {
      const [id, type] = [reader.u32(), reader.u16()];
      const priority = readPriority(reader.u8());
      return { kind, id, type, priority, deadlineMs: reader.u32(), payload: reader.prefixed() };
    }
    case 'response':
    case 'item':
      return { kind, id: reader.u32(), payload: reader.prefixed() };
    case 'end':
    case 'cancel':
      return { kind, id: reader.u32() };
    case 'failure':
      return { kind, id: reader.u32(), code: text(reader), message: text(reader) };
    case 'credit':
      return { kind, id: reader.u32(), bytes: reader.u32() };
    case 'part':
      return readPart(reader);
    case 'notice':
      return { kind, type: reader.u16(), payload: reader.prefixed() };
    case 'ping':
    case 'pong':
      return { kind, nonce: reader.u32() };
    case 'bye':
      return { kind, code: text(reader), message: text(reader) };
  }
}

/** `bytes` is the frame without its length. Throws a FrameError for anything but one whole frame. */
export function decodeFrame(bytes: Uint8Array): Frame {
  const reader = new ByteReader(bytes);
  try {
    const number = reader.u8();
    const kind = kinds.get(number);
    if (kind === undefined) throw new FrameError(`No kind of frame has the number ${number}.`);
    const frame = readFields(kind, reader);
    if (reader.remaining === 0) return frame;
  } catch (error) {
    if (error instanceof FrameError) throw error;
    const isExpected = error instanceof PhotonError || error instanceof TypeError;
    if (isExpected) throw new FrameError('A frame cannot be read.', { cause: error });
    throw error;
  }
  throw new FrameError('A frame has more bytes than fields.');
}

/** Cuts a stream of bytes into frames; holds at most one frame. */
export class FrameReader {
  #held: Uint8Array[] = [];
  #bytes = 0;

  /** The frames that are whole now. */
  *push(chunk: Uint8Array): Generator<Frame> {
    this.#held.push(chunk);
    this.#bytes += chunk.byteLength;
    while (this.#bytes >= 4) {
      const length = this.#length();
      if (length === 0 || length > frameBytesMax) {
        throw new FrameError(
          `A peer announces a frame of ${length} bytes; 1 to ${frameBytesMax} are taken.`,
        );
      }
      if (this.#bytes < 4 + length) return;
      const joined = this.#join();
      this.#held = [joined.subarray(4 + length)];
      this.#bytes -= 4 + length;
      yield decodeFrame(joined.subarray(4, 4 + length));
    }
  }

  #length(): number {
    const [first] = this.#held;
    const joined = first !== undefined && first.byteLength >= 4 ? first : this.#join();
    return new DataView(joined.buffer, joined.byteOffset).getUint32(0, true);
  }

  #join(): Uint8Array {
    const [first] = this.#held;
    if (this.#held.length === 1 && first !== undefined) return first;
    const joined = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#held) {
      joined.set(chunk, at);
      at += chunk.byteLength;
    }
    this.#held = [joined];
    return joined;
  }
}
