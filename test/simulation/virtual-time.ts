/**
 * Time of a simulation: a queue of events, ordered by time and, within one moment, by the order in
 * which they were planned. Nothing happens between two events, so the same seed gives the same run.
 */
interface Event {
  readonly at: number;
  readonly order: number;
  run(): void;
}

const isBefore = (left: Event, right: Event): boolean =>
  left.at < right.at || (left.at === right.at && left.order < right.order);

export class VirtualTime {
  /** Milliseconds since the simulation began. */
  now = 0;
  #heap: Event[] = [];
  #planned = 0;

  after(delayMs: number, run: () => void): void {
    this.#push({ at: this.now + Math.max(0, delayMs), order: this.#planned, run });
    this.#planned += 1;
  }

  /** When the next event is; infinity when nothing is planned. */
  get nextAt(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  runUntil(end: number): void {
    while (this.nextAt <= end) this.runNext();
    this.now = end;
  }

  /** Runs the next event; false when nothing is planned. */
  runNext(): boolean {
    const next = this.#heap[0];
    if (next === undefined) return false;
    this.#pop();
    this.now = next.at;
    next.run();
    return true;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const moved = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (right < heap.length && isBefore(heap[right] as Event, heap[child] as Event)) {
        child = right;
      }
      if (!isBefore(heap[child] as Event, moved)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = moved;
  }
}
