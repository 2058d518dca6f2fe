import { assert } from '../common/assert.ts';
import { StatisticsChange } from '../table/statistics.ts';
import { checkedParts, compareTotals } from './checked-parts.ts';
import type { TransferHeader, TransferTrailer } from './content.ts';

export interface VerifiedTransfer {
  readonly header: TransferHeader;
  readonly trailer: TransferTrailer;
  /**
   * Whether the rows were added up, too. Of a table that changed while it was exported only an import
   * can do that: it has the rows that others replace.
   */
  readonly isAddedUp: boolean;
}

/** Reads an export to its end and throws what an import would. */
export async function verifyTransfer(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<VerifiedTransfer> {
  let header: TransferHeader | undefined;
  let sum = new StatisticsChange(0);
  let isAddedUp = true;
  for await (const part of checkedParts(source, signal)) {
    if (part.type === 'header') {
      ({ header } = part);
      sum = new StatisticsChange(header.keyspace);
    } else if (part.type === 'rows') {
      isAddedUp &&= part.areNew;
      for (const { sourceKey, value } of part.rows) {
        if (value !== undefined) sum.add(sourceKey, value);
      }
    } else if (header !== undefined) {
      if (isAddedUp) compareTotals(sum.total, part);
      return { header, trailer: part.trailer, isAddedUp };
    }
  }
  assert(false, 'a stream that is whole has an end');
}
