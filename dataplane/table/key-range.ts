import { successor } from '../common/bytes.ts';
import type { KeyRange } from '../kv/store.ts';
import type { EncodedRange, Order } from '../wire/table-access.ts';
import { keyspaceKey } from './envelope.ts';

/** Whole keys of a keyspace that belong to a range of its keys. */
export function storedRange(
  keyspace: number,
  range: EncodedRange,
  order: Order,
): Required<Omit<KeyRange, 'limit'>> {
  const none = new Uint8Array();
  return {
    start: keyspaceKey(keyspace, range.start ?? none),
    end:
      range.end === undefined ? keyspaceKey(keyspace + 1, none) : keyspaceKey(keyspace, range.end),
    reverse: order === 'descending',
  };
}

/** What a range has up to a key, that included. */
export function rangeUpTo(range: EncodedRange, last: Uint8Array, order: Order): EncodedRange {
  return order === 'ascending' ? { ...range, end: successor(last) } : { ...range, start: last };
}

/** What is left of a range behind the last key that was answered. */
export function rangeAfter(range: EncodedRange, last: Uint8Array, order: Order): EncodedRange {
  return order === 'ascending' ? { ...range, start: successor(last) } : { ...range, end: last };
}
