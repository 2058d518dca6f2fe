import type { Histogram as LibraryHistogram, Registry } from 'prom-client';
import type { Histogram } from './buckets.ts';

/** A histogram with labels: one series for each of their combinations. */
export interface HistogramSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly histogram: Histogram;
}

export interface HistogramDefinition {
  readonly name: string;
  readonly help: string;
  /** Called at each scrape. */
  readonly read: () => readonly HistogramSeries[];
}

/** The library's own histogram takes single values only, and the node keeps buckets. */
export function registerHistogram(
  registry: Registry,
  { name, help, read }: HistogramDefinition,
): void {
  const metric = {
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    get: async () => ({
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: read().flatMap((series) => samplesOf(name, series)),
    }),
    reset: () => undefined,
  };
  registry.registerMetric(metric as unknown as LibraryHistogram);
}

function samplesOf(name: string, { labels, histogram }: HistogramSeries) {
  const { bounds, counts, count, sum } = histogram;
  let below = 0;
  const buckets = bounds.map((bound, at) => {
    below += counts[at] ?? 0;
    return { metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: below };
  });
  return [
    ...buckets,
    { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
