import type { Frame } from './errors.ts';

/** The way from the root of a query to a term. Steps share what is before them: chains are long. */
export interface Path extends Iterable<Frame> {
  readonly length: number;
}

class Step implements Path {
  readonly length: number;
  readonly #before: Path;
  readonly #frame: Frame;

  constructor(before: Path, frame: Frame) {
    this.#before = before;
    this.#frame = frame;
    this.length = before.length + 1;
  }

  *[Symbol.iterator](): Iterator<Frame> {
    const frames: Frame[] = [this.#frame];
    let before = this.#before;
    for (; before instanceof Step; before = before.#before) frames.push(before.#frame);
    yield* before;
    yield* frames.reverse();
  }
}

export const pathTo = (before: Path, frame: Frame): Path => new Step(before, frame);
