/**
 * Which sequence numbers of one sender were seen: everything below the window counts as seen, inside of it
 * each number is taken once (RFC 4303, section 3.4.3). Datagrams may come late and in another order, but
 * not twice.
 */
const windowSize = 1_024;

export class ReplayWindow {
  #newest = 0;
  readonly #seen = new Set<number>();

  /** Answers whether the number is new, and remembers it. */
  take(sequence: number): boolean {
    if (sequence <= this.#newest - windowSize || this.#seen.has(sequence)) return false;
    this.#seen.add(sequence);
    if (sequence > this.#newest) this.#advance(sequence);
    return true;
  }

  #advance(newest: number): void {
    const oldest = newest - windowSize;
    this.#newest = newest;
    for (const sequence of this.#seen) if (sequence <= oldest) this.#seen.delete(sequence);
  }
}
