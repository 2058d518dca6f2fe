import { concatBytes, encodeUtf8, fromHex, toHex } from '../../common/bytes.ts';
import { sha1, Sha1 } from '../../common/hash.ts';
import { after } from '../maybe-async.ts';
import { eachPiece } from '../work/pieces.ts';
import type { Work } from '../work/work.ts';

/** UUIDs that follow from a name (version 5 of RFC 9562): SHA-1 of a name space and the name. */
const nameSpace = fromHex('91461c99f89d49d2af96d8e2e14e9b58');

export const nameUuid = (name: string): string =>
  uuidOf(sha1(concatBytes([nameSpace, encodeUtf8(name)])).slice(0, 16));

/** Of a name of any length. */
export function nameUuidIn(name: string, work: Work | undefined): string | Promise<string> {
  const digest = new Sha1();
  digest.add(nameSpace);
  const done = eachPiece(name, work, (piece) => digest.add(encodeUtf8(piece)));
  return after(done, () => uuidOf(digest.digest().slice(0, 16)));
}

function uuidOf(hash: Uint8Array): string {
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
