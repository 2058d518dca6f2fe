import { readFileSync } from 'node:fs';

/**
 * Benchmarks side by side: the subjects of one comparison run in alternating rounds, so that what
 * else the machine does meets all of them; medians are compared, and the spread says how far a
 * ratio can be believed.
 */
interface Subject {
  readonly name: string;
  /** Runs once, for about as long as the others, and answers a figure in the comparison's unit. */
  run(): Promise<number>;
}

export interface Comparison {
  readonly about: string;
  /** Of the figures: more is better for rates, less for ms, MiB and cores. */
  readonly unit: string;
  /** The first one is what the others are compared with. */
  readonly subjects: readonly Subject[];
  /** Asked when all rounds are over: what else was measured in them. */
  note?(): string;
}

/** What a file NAME.bench.ts exports as `benchmark`. */
export interface Benchmark {
  /** One sentence: what is measured, on what. */
  readonly about: string;
  /** Makes ready (directories, processes), hands out the comparisons, and cleans up at the end. */
  run(compare: (comparison: Comparison) => Promise<void>): Promise<void>;
}

interface Figures {
  readonly name: string;
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** Of the medians, to the first subject's; with the worst and the best pair of rounds. */
  readonly ratio: { readonly median: number; readonly least: number; readonly most: number };
}

export interface Result {
  readonly about: string;
  readonly unit: string;
  readonly rounds: number;
  readonly figures: readonly Figures[];
  readonly note?: string;
}

export const defaultRounds = 5;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** A ratio is taken within each round: what slowed the machine down in it slowed both. */
function figuresOf(name: string, rates: readonly number[], first: readonly number[]): Figures {
  const ratios = rates.map((rate, round) => rate / (first[round] ?? Number.NaN));
  return {
    name,
    median: median(rates),
    least: Math.min(...rates),
    most: Math.max(...rates),
    ratio: { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) },
  };
}

/** Runs all subjects once to warm up, then in rounds; every other round in the opposite order. */
export async function measure(comparison: Comparison, rounds: number): Promise<Result> {
  const { about, unit, subjects } = comparison;
  const rates = subjects.map((): number[] => []);
  for (const subject of subjects) await subject.run();
  for (let round = 0; round < rounds; round += 1) {
    const order = [...subjects.keys()];
    for (const at of round % 2 === 0 ? order : order.toReversed()) {
      rates[at]?.push((await subjects[at]?.run()) ?? Number.NaN);
    }
  }
  const figures = subjects.map(({ name }, at) => figuresOf(name, rates[at] ?? [], rates[0] ?? []));
  const note = comparison.note?.();
  return { about, unit, rounds, figures, ...(note === undefined ? {} : { note }) };
}

/** How many operations a second `operation` does in about `ms`, one after the other. */
export async function rateOf(
  ms: number,
  operation: (count: number) => Promise<void>,
): Promise<number> {
  const started = performance.now();
  let count = 0;
  while (performance.now() - started < ms) {
    await operation(count);
    count += 1;
  }
  return (count * 1_000) / (performance.now() - started);
}

/** What a process holds in memory: `VmRSS` with mapped files, `RssAnon` without them. */
export function residentMib(pid: number, field: 'VmRSS' | 'RssAnon'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
  return Number(kib) / 1_024;
}

const short = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);

export function asText({ about, unit, rounds, figures, note }: Result): string {
  const width = Math.max(...figures.map(({ name }) => name.length));
  const lines = figures.map(({ name, median, least, most, ratio }, at) => {
    const rate = `${short(median).padStart(9)} ${unit} (${short(least)} to ${short(most)})`;
    const compared = `${ratio.median.toFixed(2)}x (${ratio.least.toFixed(2)} to ${ratio.most.toFixed(2)})`;
    // Nothing is a multiple of a figure that is 0.
    const isCompared = at > 0 && Number.isFinite(ratio.median);
    return `  ${name.padEnd(width)}  ${rate}${isCompared ? `  ${compared}` : ''}`;
  });
  if (note !== undefined) lines.push(`  (${note})`);
  return [`${about}, median of ${rounds} alternating rounds (least to most)`, ...lines].join('\n');
}
