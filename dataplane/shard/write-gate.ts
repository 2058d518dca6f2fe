import { PhotonError } from '../common/errors.ts';

/** The table of a shard has other shards by now: whoever asks the table again reaches them. */
export class ShardMovedError extends PhotonError {
  override readonly code = 'shard.moved';
  constructor() {
    super('The table of this shard has other shards now.');
  }
}

/**
 * Lets the edits of a shard in, or makes them wait while its table gets other shards. Guarded invariant: between
 * `close` and `open` nothing is evaluated, staged or proposed.
 */
export class WriteGate {
  #inside = 0;
  #closed: PromiseWithResolvers<void> | undefined;
  #emptied: PromiseWithResolvers<void> | undefined;
  #isMoved = false;

  /** Whether `enter` may be called at once. */
  get isOpen(): boolean {
    return this.#closed === undefined && !this.#isMoved;
  }

  /** Resolves when the gate is open; rejects with `ShardMovedError` when nothing comes in any more. */
  async opened(): Promise<void> {
    while (this.#closed !== undefined) await this.#closed.promise;
    if (this.#isMoved) throw new ShardMovedError();
  }

  enter(): void {
    this.#inside += 1;
  }

  leave(): void {
    this.#inside -= 1;
    if (this.#inside === 0) this.#emptied?.resolve();
  }

  /** Nothing comes in from now on. Resolves when nothing is inside any more. */
  close(): Promise<void> {
    this.#closed = Promise.withResolvers();
    this.#emptied = Promise.withResolvers();
    if (this.#inside === 0) this.#emptied.resolve();
    return this.#emptied.promise;
  }

  /** Ends `close`; with `isMoved` those who wait, and all to come, are refused. */
  open(isMoved: boolean): void {
    this.#isMoved = isMoved;
    const closed = this.#closed;
    this.#closed = undefined;
    this.#emptied = undefined;
    closed?.resolve();
  }
}
