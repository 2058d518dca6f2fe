import { priorities } from '../wire/frame.ts';
import type { Priority } from '../wire/frame.ts';

/**
 * What waits to be sent to one peer: a first-in first-out queue for each priority, bounded in bytes. A higher
 * priority always goes first, so that a heartbeat never waits behind a snapshot; one queue that is full
 * refuses, and the others are not affected.
 */
export class SendQueue {
  readonly #limits: Readonly<Record<Priority, number>>;
  readonly #queues = new Map<Priority, { readonly frames: Uint8Array[]; bytes: number }>();

  constructor(limits: Readonly<Record<Priority, number>>) {
    this.#limits = limits;
    for (const priority of priorities) this.#queues.set(priority, { frames: [], bytes: 0 });
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

  /** The next frame to send. */
  take(): Uint8Array | undefined {
    for (const priority of priorities) {
      const queue = this.#queues.get(priority);
      const frame = queue?.frames.shift();
      if (queue === undefined || frame === undefined) continue;
      queue.bytes -= frame.byteLength;
      return frame;
    }
    return undefined;
  }

  bytesOf(priority: Priority): number {
    return this.#queues.get(priority)?.bytes ?? 0;
  }
}
