import type { Change, TermFunction } from '../wire/table-edit.ts';

/** How many edits of a query go to a shard at a time, and how large they are together. */

/** Edits that go to the log together. */
const editsPerBatch = 200;
/**
 * Characters of documents that go together, unless one alone has more. Shards evaluate a batch at once, and messages,
 * memory and the log have bounds that 200 large documents exceed.
 */
export const batchLengthMax = 8 * 1_048_576;

/** What is written, in batches that go to the log together. Items are taken, and measured, as batches are asked for. */
export function* roomyBatches<T>(
  items: Iterable<T>,
  lengthOfItem: (item: T) => number,
): Generator<readonly T[]> {
  let batch: T[] = [];
  let length = 0;
  for (const item of items) {
    const own = lengthOfItem(item);
    if (batch.length >= editsPerBatch || (batch.length > 0 && length + own > batchLengthMax)) {
      yield batch;
      [batch, length] = [[], 0];
    }
    batch.push(item);
    length += own;
  }
  if (batch.length > 0) yield batch;
}

/** Characters of the values that a change carries. */
export function lengthOf(change: Change): number {
  switch (change.type) {
    case 'insert':
      return change.document.text.length;
    case 'compareAndSet':
      return change.document?.text.length ?? 0;
    case 'update':
    case 'replace':
      return 'term' in change.by ? functionLength(change.by) : change.by.text.length;
    case 'delete':
    case 'expire':
    case 'fetch':
      return 0;
  }
}

const functionLength = ({ term, captured }: TermFunction): number =>
  captured.reduce((sum, { value }) => sum + value.text.length, term.length);
