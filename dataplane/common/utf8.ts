import { isUtf8 } from 'node:buffer';
import { decodeUtf8 } from './bytes.ts';

/** Where bytes cease to be UTF-8, and why. */
export interface Utf8Fault {
  readonly position: number;
  readonly reason: string;
}

/** The text of bytes, or why they have none: a decoder would put U+FFFD in place of what is wrong. */
export function readUtf8(bytes: Uint8Array): string | Utf8Fault {
  return isUtf8(bytes) ? decodeUtf8(bytes) : faultOf(bytes);
}

const isContinuation = (byte: number | undefined): boolean =>
  byte !== undefined && (byte & 0xc0) === 0x80;

/** By the first byte: how many follow it, and the smallest code point that needs so many. */
function lengthOf(first: number): { readonly more: number; readonly least: number } | undefined {
  if (first < 0x80) return { more: 0, least: 0 };
  if (first < 0xc0) return undefined;
  if (first < 0xe0) return { more: 1, least: 0x80 };
  if (first < 0xf0) return { more: 2, least: 0x800 };
  return first < 0xf8 ? { more: 3, least: 0x1_00_00 } : undefined;
}

function faultOf(bytes: Uint8Array): Utf8Fault {
  let at = 0;
  for (;;) {
    const start = at;
    const first = bytes[at] ?? 0;
    const length = lengthOf(first);
    at += 1;
    if (length === undefined) return { position: start, reason: 'Invalid initial byte seen' };
    let point = first & (0x7f >> (length.more === 0 ? 0 : length.more + 1));
    for (let left = length.more; left > 0; left -= 1) {
      const byte = bytes[at];
      if (!isContinuation(byte)) {
        const found = byte === undefined ? 'end of string' : 'something else';
        return { position: at - 1, reason: `Expected continuation byte, saw ${found}` };
      }
      point = (point << 6) | ((byte ?? 0) & 0x3f);
      at += 1;
    }
    const position = at - 1;
    if (point < length.least) return { position, reason: 'Overlong encoding seen' };
    if (point > 0x10_ff_ff)
      return { position, reason: 'Non-Unicode character encoded (beyond U+10FFFF)' };
    if (point >= 0xd800 && point <= 0xdfff) return { position, reason: 'Surrogate encoded' };
  }
}
