import { priorities } from '../wire/frame.ts';
import type { Priority } from '../wire/frame.ts';
import type { FrameSource } from './parts.ts';

/**
 * What waits to be sent to one peer: a first-in first-out queue for each priority, bounded in bytes. A higher
 * priority always goes first, so that a heartbeat never waits behind a snapshot; one queue that is full
 * refuses, and the others are not affected. Large messages take turns, a part each, behind the frames of their
 * priority.
 */
interface Queue {
  readonly frames: Uint8Array[];
  bytes: number;
  readonly large: FrameSource[];
}

/** Of large messages of one priority that wait. */
const largeBytesMax = 272 * 1_048_576;

export class SendQueue {
  readonly #limits: Readonly<Record<Priority, number>>;
  readonly #queues = new Map<Priority, Queue>();

  constructor(limits: Readonly<Record<Priority, number>>) {
    this.#limits = limits;
    for (const priority of priorities)
      this.#queues.set(priority, { frames: [], bytes: 0, large: [] });
  }

  /** False, and nothing is kept, when the queue of this priority is full. One frame always fits. */
  push(priority: Priority, frame: Uint8Array): boolean {
    const queue = this.#queues.get(priority);
    if (queue === undefined) return false;
    const isFull = queue.bytes + frame.byteLength > this.#limits[priority];
    if (isFull && queue.frames.length > 0) return false;
    queue.frames.push(frame);
    queue.bytes += frame.byteLength;
    return true;
  }

  /** A message in parts. False, and nothing is kept, when too many bytes of such messages wait. */
  pushLarge(priority: Priority, message: FrameSource): boolean {
    const queue = this.#queues.get(priority);
    if (queue === undefined) return false;
    const waiting = queue.large.reduce((sum, { bytes }) => sum + bytes, 0);
    if (queue.large.length > 0 && waiting + message.bytes > largeBytesMax) return false;
    queue.large.push(message);
    return true;
  }

  /** The next frame to send. */
  take(): Uint8Array | undefined {
    for (const priority of priorities) {
      const queue = this.#queues.get(priority);
      if (queue === undefined) continue;
      const frame = queue.frames.shift();
      if (frame !== undefined) {
        queue.bytes -= frame.byteLength;
        return frame;
      }
      const part = partOf(queue.large);
      if (part !== undefined) return part;
    }
    return undefined;
  }

  bytesOf(priority: Priority): number {
    return this.#queues.get(priority)?.bytes ?? 0;
  }
}

/** Of the first message that has one; it goes behind the others. */
function partOf(large: FrameSource[]): Uint8Array | undefined {
  for (;;) {
    const message = large.shift();
    if (message === undefined) return undefined;
    const part = message.next();
    if (part === undefined) continue;
    large.push(message);
    return part;
  }
}
