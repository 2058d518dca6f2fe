import { assert } from './assert.ts';
import { PhotonError } from './errors.ts';

/** A push after `close`, or one that was waiting for room when the queue was closed. */
export class QueueClosedError extends PhotonError {
  override readonly code = 'common.queue_closed';

  constructor() {
    super('The queue is closed.');
  }
}

interface Pusher<T> {
  readonly item: T;
  resolve(): void;
  reject(error: Error): void;
}

interface Taker<T> {
  resolve(item: T | undefined): void;
  reject(error: Error): void;
}

/**
 * A first-in first-out queue between two tasks. Guarded invariants: it never holds more than
 * `capacity` items (who pushes more waits), items come out in the order of the pushes, and each is
 * taken once. An item is handed over in the call that makes it possible, so no consumer can overtake.
 */
export class BoundedQueue<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  /** Not empty only while the queue is full. */
  readonly #pushers: Pusher<T>[] = [];
  /** Not empty only while the queue is empty. */
  readonly #takers: Taker<T>[] = [];
  #closed = false;

  constructor(capacity: number) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, `not a capacity: ${capacity}`);
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#items.length;
  }

  /** False, and nothing is kept, when the queue is full. */
  tryPush(item: T): boolean {
    if (this.#closed) throw new QueueClosedError();
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker.resolve(item);
      return true;
    }
    if (this.#items.length >= this.#capacity) return false;
    this.#items.push(item);
    return true;
  }

  /** Resolves when the queue holds the item; rejects with the signal's reason or when it is closed. */
  async push(item: T, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.tryPush(item)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    await waitIn(this.#pushers, { item, resolve, reject }, { promise, signal });
  }

  /** The next item, when there is one; undefined once the queue is closed and empty. */
  async take(signal: AbortSignal): Promise<T | undefined> {
    signal.throwIfAborted();
    if (this.#items.length > 0) {
      const item = this.#items.shift() as T;
      const pusher = this.#pushers.shift();
      if (pusher !== undefined) {
        this.#items.push(pusher.item);
        pusher.resolve();
      }
      return item;
    }
    if (this.#closed) return undefined;
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    return waitIn(this.#takers, { resolve, reject }, { promise, signal });
  }

  /** No more pushes, also not those that wait; what is inside can still be taken. */
  close(): void {
    this.#closed = true;
    for (const pusher of this.#pushers.splice(0)) pusher.reject(new QueueClosedError());
    for (const taker of this.#takers.splice(0)) taker.resolve(undefined);
  }
}

/** Stands in line until it is served; leaves the line when the signal is aborted before that. */
async function waitIn<W extends { reject(error: Error): void }, R>(
  line: W[],
  waiter: W,
  { promise, signal }: { promise: Promise<R>; signal: AbortSignal },
): Promise<R> {
  const abort = (): void => {
    const at = line.indexOf(waiter);
    if (at === -1) return;
    line.splice(at, 1);
    waiter.reject(signal.reason as Error);
  };
  line.push(waiter);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
