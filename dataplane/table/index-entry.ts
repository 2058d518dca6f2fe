import { bytesToFill } from '../common/bytes.ts';
import { keyspaceKey } from './envelope.ts';

/**
 * Entries of a secondary index: keyspace, encoded index key, primary key; the value is the length of
 * the index key (u16). Index keys that are too long for the store are cut; whoever reads such an
 * entry checks the document itself.
 */
export const storedKeyBytesMax = 1_978;
/** Of an encoded primary key. */
export const primaryKeyBytesMax = 160;
/** What is left of a stored key for the index key. */
export const indexKeyBytesMax = storedKeyBytesMax - 4 - primaryKeyBytesMax;

export const isCut = (indexKey: Uint8Array): boolean => indexKey.byteLength >= indexKeyBytesMax;

const cut = (indexKey: Uint8Array): Uint8Array =>
  isCut(indexKey) ? indexKey.subarray(0, indexKeyBytesMax) : indexKey;

export function indexEntryKey(
  keyspace: number,
  indexKey: Uint8Array,
  primaryKey: Uint8Array,
): Uint8Array {
  const stored = cut(indexKey);
  const key = keyspaceKey(keyspace, stored, primaryKey.byteLength);
  key.set(primaryKey, key.byteLength - primaryKey.byteLength);
  return key;
}

export function indexEntryValue(indexKey: Uint8Array): Uint8Array {
  const length = cut(indexKey).byteLength;
  const value = bytesToFill(2);
  value[0] = length;
  value[1] = length >>> 8;
  return value;
}

export interface IndexEntry {
  /** Possibly cut. */
  readonly indexKey: Uint8Array;
  readonly primaryKey: Uint8Array;
}

export function decodeIndexEntry(key: Uint8Array, value: Uint8Array): IndexEntry {
  const length = (value[0] ?? 0) | ((value[1] ?? 0) << 8);
  // Copies of short keys are quicker to make than views.
  return { indexKey: key.slice(4, 4 + length), primaryKey: key.slice(4 + length) };
}
