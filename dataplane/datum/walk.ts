import { tooDeep, tooLarge } from './errors.ts';
import { datumDepthMax, datumPartsMax } from './limits.ts';

/** Beyond, a value has the same parts again and again, or is one of the largest. */
const manyParts = 2 ** 17;

/**
 * The walk through all parts of a value. Values share parts: `[x, x]` sixty times over is made in no time,
 * and has more parts than any machine can walk. A walk that takes long remembers what came of each part.
 * Guarded invariant: every walk ends, and what it would take too long for is an error of the query.
 */
export class Walk {
  readonly #most: number;
  #left: number;
  #known: Map<object, unknown> | undefined;

  constructor(parts = datumPartsMax) {
    this.#most = parts;
    this.#left = parts;
  }

  /** One array or object more, so deep inside; answers the depth of what is in it. */
  into(depth: number, parts: number): number {
    if (depth >= datumDepthMax) throw tooDeep();
    this.take(parts + 1);
    return depth + 1;
  }

  take(parts: number): void {
    this.#left -= parts;
    if (this.#left < 0) throw tooLarge();
  }

  /** Characters are handled by the dozen where values are handled one by one. */
  text(characters: number): void {
    this.take(characters >> 4);
  }

  /** What was remembered of a part. */
  known(part: object): unknown {
    return this.#known?.get(part);
  }

  /** Nothing is, in a walk that is short. */
  remember(part: object, result: unknown): void {
    if (this.#most - this.#left < manyParts) return;
    this.#known ??= new Map();
    this.#known.set(part, result);
  }
}
