import { decodeUtf8 } from '../common/bytes.ts';
import { numberOfKey } from './key.ts';

/**
 * An encoded primary key as errors show it, when it is a string, a number or a boolean; undefined for
 * another, and for bytes that are no key. Damage may show any bytes.
 */
export function shownKey(key: Uint8Array): string | undefined {
  const [tag] = key;
  if (tag === 0x80) return shownString(key);
  if (tag === 0x40 && key.byteLength === 9) return String(numberOfKey(key));
  if (tag === 0x20 && key.byteLength === 2) return String(key[1] === 1);
  return undefined;
}

/** Primary keys have no zero bytes, so that nothing in them is escaped. */
function shownString(key: Uint8Array): string | undefined {
  const end = key.byteLength - 2;
  if (end < 1 || key[end] !== 0 || key[end + 1] !== 1) return undefined;
  return JSON.stringify(decodeUtf8(key.subarray(0, end), 1));
}
