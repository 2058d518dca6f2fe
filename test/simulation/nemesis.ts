import type { Prng } from '../../dataplane/common/prng.ts';
import type { NetworkFaults } from './network.ts';

/** Faults as data: each starts at random and ends on its own; several may be active at once. */
export interface Fault<Target> {
  readonly name: string;
  readonly weight: number;
  begin(target: Target): void;
}

export interface Pace {
  /** From one fault to the next, at the least. */
  readonly leastMs: number;
  /** Each seed has a pause of its own between these, which is the mean of what comes on top. */
  readonly pauseMs: { readonly least: number; readonly most: number };
}

/**
 * A swarm: each seed has faults of its own that are frequent, rare or absent, because many bugs show only
 * where something else does not happen (Groce 2012).
 */
export class Nemesis<Target extends { readonly random: Prng }> {
  readonly #target: Target;
  readonly #faults: readonly Fault<Target>[];
  readonly #weights: readonly number[];
  readonly #leastMs: number;
  readonly #pauseMs: number;

  /** With `names`, only these faults, all of them often. */
  constructor(
    target: Target,
    faults: readonly Fault<Target>[],
    { leastMs, pauseMs, names }: Pace & { readonly names?: readonly string[] | undefined },
  ) {
    this.#target = target;
    this.#faults = faults;
    const { random } = target;
    this.#weights = faults.map(({ name, weight }) =>
      names === undefined
        ? weight * random.pick([0, 0, 1, 1, 4])
        : weight * Number(names.includes(name)),
    );
    this.#leastMs = leastMs;
    this.#pauseMs = pauseMs.least + random.below(pauseMs.most - pauseMs.least);
  }

  /** Begins a fault; answers its name and when the next one is due. */
  begin(): { readonly name: string; readonly nextInMs: number } {
    const { random } = this.#target;
    let at = random.next() * this.#weights.reduce((sum, weight) => sum + weight, 0);
    const fault = this.#faults.find((_, place) => (at -= this.#weights[place] ?? 0) < 0);
    fault?.begin(this.#target);
    const nextInMs = this.#leastMs + random.next() * 2 * this.#pauseMs;
    return { name: fault?.name ?? 'none', nextInMs };
  }
}

/** For a while. */
export const badNetwork = (random: Prng): NetworkFaults => ({
  loss: random.next() * 0.3,
  duplication: random.next() * 0.2,
  delayMs: { least: 0.2, most: 2 + random.below(60) },
  stragglers: random.next() * 0.1,
});
