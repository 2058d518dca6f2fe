import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import type { ReadTransaction, WriteTransaction } from '../kv/store.ts';
import { metaKey } from '../table/meta-key.ts';
import type { Damage } from './damage.ts';

/** Why the shard of a group is not served, for the starts to come. */
export function readMark(transaction: ReadTransaction, group: number): Damage | undefined {
  const bytes = transaction.get('meta', metaKey('damage', group));
  return bytes === undefined ? undefined : (JSON.parse(decodeUtf8(bytes)) as Damage);
}

/** The first reason stays. */
export function writeMark(transaction: WriteTransaction, group: number, damage: Damage): void {
  const key = metaKey('damage', group);
  if (transaction.peek('meta', key) !== undefined) return;
  transaction.put('meta', key, encodeUtf8(JSON.stringify(damage)));
}

export function removeMark(transaction: WriteTransaction, group: number): void {
  transaction.remove('meta', metaKey('damage', group));
}
