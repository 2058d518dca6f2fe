/** A histogram as Prometheus reads it: values counted in buckets since the start of the process. */
export interface Histogram {
  /** Upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** Of each bucket alone; the last one has what is above all bounds. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
}

export class Buckets implements Histogram {
  readonly bounds: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  get counts(): readonly number[] {
    return this.#counts;
  }

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  add(value: number): void {
    this.addMany(value, 1, value);
  }

  /** What was counted since the last call, for another process; undefined when nothing was. */
  take(): Histogram | undefined {
    if (this.#count === 0) return undefined;
    const taken = {
      bounds: this.bounds,
      counts: [...this.#counts],
      count: this.#count,
      sum: this.#sum,
    };
    this.#counts.fill(0);
    this.#count = 0;
    this.#sum = 0;
    return taken;
  }

  /** Adds what another process has counted in the same buckets; leaves out what is nothing of that kind. */
  merge(given: unknown): void {
    const { counts, sum } = (given ?? {}) as Record<string, unknown>;
    if (!Array.isArray(counts) || counts.length !== this.#counts.length) return;
    if (!counts.every(isCount) || !isCount(sum)) return;
    for (const [at, times] of counts.entries()) {
      this.#counts[at] = (this.#counts[at] ?? 0) + times;
      this.#count += times;
    }
    this.#sum += sum;
  }

  /** `times` values of about this size, with their exact sum. */
  addMany(value: number, times: number, sum: number): void {
    const found = this.bounds.findIndex((bound) => value <= bound);
    const at = found < 0 ? this.bounds.length : found;
    this.#counts[at] = (this.#counts[at] ?? 0) + times;
    this.#count += times;
    this.#sum += sum;
  }
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;

/** From a read in memory to a disk that hangs. */
export const secondsBounds: readonly number[] = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
  2.5, 5, 10,
];

export const bytesBounds: readonly number[] = [
  256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
];

export const rowsBounds: readonly number[] = [
  0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000,
];
