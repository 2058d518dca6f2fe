/**
 * The bytes that all memtables of a node may hold. Writers wait while it is used up: the store, not the
 * memory of the node, decides how fast it takes writes.
 */
export class MemtableBudget {
  readonly #bytesMax: number;
  readonly #waiting: (() => void)[] = [];
  /** Called when somebody begins to wait. */
  readonly #awaited: () => void;
  #used = 0;

  constructor(bytesMax: number, awaited: () => void) {
    this.#bytesMax = bytesMax;
    this.#awaited = awaited;
  }

  get used(): number {
    return this.#used;
  }

  get isUsedUp(): boolean {
    return this.#used >= this.#bytesMax;
  }

  get isAwaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** Waits until there is room; rejects when the signal says so. */
  async room(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.isUsedUp) {
      await new Promise<void>((resolve, reject) => {
        const aborted = (): void => reject(signal.reason as Error);
        signal.addEventListener('abort', aborted, { once: true });
        this.#waiting.push(() => {
          signal.removeEventListener('abort', aborted);
          resolve();
        });
        this.#awaited();
      });
    }
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
    if (this.isUsedUp) return;
    for (const resume of this.#waiting.splice(0)) resume();
  }
}
