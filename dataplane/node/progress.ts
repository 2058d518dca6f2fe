import type { Clock } from '../common/clock.ts';
import type { NodeHealth } from '../http/health.ts';

/** How far a node has come in its life, and how far the start has come in its work. */
export class Progress {
  readonly #clock: Pick<Clock, 'now'>;
  #state: NodeHealth['state'] = 'Starting';
  #message = 'opening the data directory';
  #doneBytes = 0;
  #totalBytes = 0;
  #movedAt: number;
  #changed: () => void = () => undefined;
  /** The identity that the data directory should have; undefined when it has it, or may have any. */
  missingId: string | undefined;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
    this.#movedAt = clock.now();
  }

  get state(): NodeHealth['state'] {
    return this.#state;
  }

  get message(): string {
    return this.#message;
  }

  get replay(): NodeHealth['replay'] {
    const movedMsAgo = Math.round(this.#clock.now() - this.#movedAt);
    return { doneBytes: this.#doneBytes, totalBytes: this.#totalBytes, movedMsAgo };
  }

  /** Called at each change of the state. */
  onChange(changed: () => void): void {
    this.#changed = changed;
  }

  become(state: NodeHealth['state'], message: string): void {
    this.#state = state;
    this.#message = message;
    this.#changed();
  }

  /** A further step of the start. */
  step(message: string): void {
    this.#message = message;
  }

  moved(doneBytes: number, totalBytes: number): void {
    this.#doneBytes = doneBytes;
    this.#totalBytes = totalBytes;
    this.#movedAt = this.#clock.now();
  }

  /** Waiting is not a start that is stuck. */
  waited(): void {
    this.#movedAt = this.#clock.now();
  }
}
