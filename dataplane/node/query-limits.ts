import type { Clock } from '../common/clock.ts';
import type { Config } from '../config/config.ts';
import type { QueryLimits } from '../query/work/limits.ts';

const mebibyte = 1_048_576;

/** Bounds of queries from the configuration, and the node's clock for their slices. */
export const queryLimitsOf = (config: Config, clock: Clock): QueryLimits => ({
  clock,
  queryBytesMax: config['query-memory-mib'] * mebibyte,
  allBytesMax: config['queries-memory-mib'] * mebibyte,
  secondsMax: config['max-query-seconds'],
});
