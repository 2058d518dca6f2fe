import type { SessionOptions } from '../query/global-options.ts';
import type { ProtocolLimits } from './limits.ts';

/** How large the batches of a cursor are: as the query wishes, within the bounds of the port. */

/** The first batch is smaller, so that it comes sooner. */
const firstBatchDivisor = 4;
const batchBytes = 1_048_576;
const batchRows = 100_000;
const batchSeconds = 0.5;

export function batchLimits(
  options: SessionOptions,
  limits: ProtocolLimits,
  isFirst: boolean,
): { maxRows: number; maxBytes: number; maxMilliseconds: number } {
  const divisor = isFirst ? (options.first_batch_scaledown_factor ?? firstBatchDivisor) : 1;
  const scaled = (most: number): number => Math.max(1, Math.floor(most / divisor));
  return {
    maxRows: scaled(options.max_batch_rows ?? batchRows),
    maxBytes: Math.min(scaled(options.max_batch_bytes ?? batchBytes), limits.batchBytesMax),
    maxMilliseconds: (options.max_batch_seconds ?? batchSeconds) * 1_000,
  };
}
