import { closeSync, openSync } from 'node:fs';

/**
 * Descriptors that are held open for nothing, so that files of the log can still be opened when clients
 * have taken every other one. The process (EMFILE) or the machine (ENFILE) has none left: one of the
 * reserve is closed and its place taken in the same turn of the loop, before a socket can take it.
 */
const placeholder = '/dev/null';

export function isDescriptorShortage(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code === 'EMFILE' || code === 'ENFILE';
}

export class DescriptorReserve {
  readonly #size: number;
  readonly #held: number[] = [];

  constructor(size: number) {
    this.#size = size;
    this.refill();
  }

  get held(): number {
    return this.#held.length;
  }

  /** Runs `attempt`; when no descriptor is left, `atOnce`, which does the same synchronously, with one of the reserve. */
  async use<T>(attempt: () => Promise<T>, atOnce: () => T): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (!isDescriptorShortage(error)) throw error;
      return this.#spend(atOnce, error);
    } finally {
      this.refill();
    }
  }

  /** Takes back what was spent, as far as there are descriptors again. */
  refill(): void {
    try {
      while (this.#held.length < this.#size) this.#held.push(openSync(placeholder, 'r'));
    } catch (error) {
      if (!isDescriptorShortage(error)) throw error;
    }
  }

  #spend<T>(atOnce: () => T, shortage: unknown): T {
    let last = shortage;
    // More than one: another process may take what the machine gets back.
    for (let one = this.#held.pop(); one !== undefined; one = this.#held.pop()) {
      closeSync(one);
      try {
        return atOnce();
      } catch (error) {
        if (!isDescriptorShortage(error)) throw error;
        last = error;
      }
    }
    throw last;
  }
}
