import { encodeFrame } from '../wire/frame.ts';
import type { Frame } from '../wire/frame.ts';
import { MessageTooLargeError } from './errors.ts';

/**
 * Messages that are too large for one frame, in parts: small messages go between the parts, so that a large document
 * delays nobody. Guarded invariant: what a peer sends is held within two bounds, of one message and of all of them.
 */
export const partBytes = 262_144;
/** A document of the largest size with the one that it replaces, and what is around them. */
export const messageBytesMax = 136 * 1_048_576;
/** Of all messages of a session whose last part has not come. */
const heldBytesMax = 2 * messageBytesMax;

export type RequestFrame = Extract<Frame, { readonly deadlineMs: number }>;

/** Frames that are made when they are sent; undefined when there is none left. */
export interface FrameSource {
  /** Of the message. */
  readonly bytes: number;
  next(): Uint8Array | undefined;
}

const partsOf = (payload: Uint8Array): number => Math.ceil(payload.byteLength / partBytes);
const partAt = (payload: Uint8Array, at: number): Uint8Array =>
  payload.subarray(at * partBytes, (at + 1) * partBytes);

function source(
  payload: Uint8Array,
  isWanted: () => boolean,
  frameOf: (part: Uint8Array, at: number, isLast: boolean) => Frame,
): FrameSource {
  const count = partsOf(payload);
  let at = 0;
  return {
    bytes: payload.byteLength,
    next: () => {
      if (at === count || !isWanted()) return undefined;
      const part = partAt(payload, at);
      at += 1;
      return encodeFrame(frameOf(part, at - 1, at === count));
    },
  };
}

export const requestInParts = (frame: RequestFrame, isWanted: () => boolean): FrameSource =>
  source(frame.payload, isWanted, (payload, at, isLast) =>
    at === 0
      ? { ...frame, kind: 'open', payload }
      : { kind: 'part', id: frame.id, isLast, payload },
  );

export const answerInParts = (
  id: number,
  payload: Uint8Array,
  isWanted: () => boolean,
): FrameSource =>
  source(payload, isWanted, (part, _at, isLast) => ({
    kind: isLast ? 'response' : 'item',
    id,
    payload: part,
  }));

/** The parts that have come of messages, by what they belong to. */
export class PartsHeld<K> {
  readonly #held = new Map<K, Uint8Array[]>();
  #bytes = 0;

  /** Throws when the message, or all of them, would be too large; the message is forgotten then. */
  add(key: K, part: Uint8Array): void {
    const parts = this.#held.get(key) ?? [];
    const bytes = sizeOf(parts) + part.byteLength;
    if (bytes > messageBytesMax || this.#bytes + part.byteLength > heldBytesMax) {
      this.drop(key);
      throw new MessageTooLargeError(
        `A message of more than ${Math.min(bytes, messageBytesMax)} bytes is not taken: one may have ${messageBytesMax}, and all that are incomplete ${heldBytesMax}.`,
      );
    }
    // Of its own: the frame is a view of what was received.
    parts.push(part.slice());
    this.#bytes += part.byteLength;
    this.#held.set(key, parts);
  }

  has(key: K): boolean {
    return this.#held.has(key);
  }

  /** The parts with the last one as one. */
  take(key: K, last: Uint8Array): Uint8Array {
    const parts = this.#held.get(key);
    if (parts === undefined) return last.slice();
    const whole = new Uint8Array(sizeOf(parts) + last.byteLength);
    let at = 0;
    for (const part of [...parts, last]) {
      whole.set(part, at);
      at += part.byteLength;
    }
    this.drop(key);
    return whole;
  }

  drop(key: K): void {
    this.#bytes -= sizeOf(this.#held.get(key) ?? []);
    this.#held.delete(key);
  }
}

const sizeOf = (parts: readonly Uint8Array[]): number =>
  parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
