import { compareBytes } from '../../common/bytes.ts';
import { resourceLimit } from '../failure.ts';
import type { Stream } from '../stream.ts';
import { StoredRow } from '../item.ts';
import type { Item } from '../item.ts';

/**
 * A store keeps the beginning of a long index key: rows whose keys begin alike come in the order of
 * their primary keys. Here they are put into the order of the whole keys.
 */

/** Shorter keys are whole in every store. */
const longBytes = 1_024;
/** Rows that begin alike and are held at once. */
const rowsMax = 100_000;

const isLong = (item: Item | undefined): item is StoredRow =>
  item instanceof StoredRow && item.indexKey.byteLength >= longBytes;

const beginAlike = (a: StoredRow, b: StoredRow): boolean =>
  compareBytes(a.indexKey.subarray(0, longBytes), b.indexKey.subarray(0, longBytes)) === 0;

const ascending = (a: StoredRow, b: StoredRow): number =>
  compareBytes(a.indexKey, b.indexKey) || compareBytes(a.key, b.key);

export function inOrderOfWholeKeys(source: Stream, order: 'ascending' | 'descending'): Stream {
  let alike: StoredRow[] = [];
  let ended = false;
  const taken = (): StoredRow[] => {
    const rows = alike.sort(ascending);
    alike = [];
    return order === 'ascending' ? rows : rows.reverse();
  };
  const add = (item: Item, out: Item[]): void => {
    const [first] = alike;
    if (first !== undefined && (!isLong(item) || !beginAlike(first, item)))
      for (const row of taken()) out.push(row);
    if (!isLong(item)) out.push(item);
    else if (alike.push(item) > rowsMax)
      throw resourceLimit(
        `Too many rows (> ${rowsMax}) whose index keys begin with the same ${longBytes} bytes.`,
      );
  };
  return {
    async next(limit, signal) {
      while (!ended) {
        const batch = await source.next(limit, signal);
        if (batch === undefined) {
          ended = true;
          break;
        }
        if (alike.length === 0 && !batch.some(isLong)) return batch;
        const out: Item[] = [];
        for (const item of batch) add(item, out);
        if (out.length > 0) return out;
      }
      const rest = taken();
      return rest.length > 0 ? rest : undefined;
    },
    close: () => source.close(),
  };
}
