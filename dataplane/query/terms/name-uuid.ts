import { concatBytes, encodeUtf8, fromHex, toHex } from '../../common/bytes.ts';

/** UUIDs that follow from a name (version 5 of RFC 9562): SHA-1 of a name space and the name. */
const nameSpace = fromHex('91461c99f89d49d2af96d8e2e14e9b58');

export function nameUuid(name: string): string {
  const hash = sha1(concatBytes([nameSpace, encodeUtf8(name)])).slice(0, 16);
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = toHex(hash);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}

const blockBytes = 64;
const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

/** SHA-1 of RFC 3174; here it makes names, it protects nothing. */
function sha1(message: Uint8Array): Uint8Array {
  const length = Math.ceil((message.length + 9) / blockBytes) * blockBytes;
  const padded = new Uint8Array(length);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(length - 8, BigInt(message.length) * 8n);
  let state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  for (let start = 0; start < length; start += blockBytes) state = round(state, view, start);
  const digest = new DataView(new ArrayBuffer(20));
  state.forEach((word, at) => digest.setUint32(at * 4, word));
  return new Uint8Array(digest.buffer);
}

function round(before: readonly number[], view: DataView, start: number): number[] {
  const words = Array.from({ length: 16 }, (_, at) => view.getUint32(start + at * 4));
  for (let at = 16; at < 80; at += 1) {
    const mixed = [3, 8, 14, 16].reduce((sum, back) => sum ^ (words[at - back] ?? 0), 0);
    words.push(rotate(mixed, 1));
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0] = before;
  for (const [at, word] of words.entries()) {
    const [mixed, constant] = mix(at, b, [c, d]);
    const next = (rotate(a, 5) + mixed + e + constant + word) | 0;
    [a, b, c, d, e] = [next, a, rotate(b, 30), c, d];
  }
  return [a, b, c, d, e].map((word, at) => (word + (before[at] ?? 0)) | 0);
}

function mix(at: number, b: number, [c, d]: readonly [number, number]): [number, number] {
  if (at < 20) return [(b & c) | (~b & d), 0x5a827999];
  if (at < 40) return [b ^ c ^ d, 0x6ed9eba1];
  if (at < 60) return [(b & c) | (b & d) | (c & d), 0x8f1bbcdc];
  return [b ^ c ^ d, 0xca62c1d6];
}
