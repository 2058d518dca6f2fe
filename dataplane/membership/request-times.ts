import type { PeerRequestName } from './peer-requests.ts';

/** Durations of requests to other nodes, by type and node, in buckets. Bounded by the nodes that are known. */
export interface RequestTime {
  readonly name: PeerRequestName;
  readonly peer: string;
  readonly ms: number;
  readonly outcome: string;
}

export const requestBucketsSeconds = [
  0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const;

export interface TimedRequests {
  readonly name: PeerRequestName;
  readonly peer: string;
  readonly outcome: string;
  /** Of each bucket alone; the last one has what is above all of them. */
  readonly counts: number[];
  count: number;
  sumSeconds: number;
}

/** Series at most; further ones are not kept. */
const seriesMax = 4_096;

export class RequestTimes {
  readonly #series = new Map<string, TimedRequests>();

  add({ name, peer, ms, outcome }: RequestTime): void {
    const key = `${name} ${peer} ${outcome}`;
    const known = this.#series.get(key);
    if (known === undefined && this.#series.size >= seriesMax) return;
    const series = known ?? {
      name,
      peer,
      outcome,
      counts: Array.from({ length: requestBucketsSeconds.length + 1 }, () => 0),
      count: 0,
      sumSeconds: 0,
    };
    const seconds = ms / 1_000;
    const found = requestBucketsSeconds.findIndex((bound) => seconds <= bound);
    const bucket = found < 0 ? requestBucketsSeconds.length : found;
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.count += 1;
    series.sumSeconds += seconds;
    this.#series.set(key, series);
  }

  get all(): readonly TimedRequests[] {
    return [...this.#series.values()];
  }
}
