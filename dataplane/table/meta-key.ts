import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';

/**
 * Keys of `meta` that are about one keyspace, and go with it: how far the log was applied to it, who
 * replicates it, which state of it comes from another node, its counters, how far the build of an index is, that it
 * ended, what was found wrong with it, why an index failed, whether
 * its counters must be counted again, and up to which version its documents were never checked.
 */
const metaKinds = [
  'applied',
  'members',
  'incoming',
  'statistics',
  'build',
  'built',
  'damage',
  'failed',
  'recount',
  'unchecked',
] as const;
export type MetaKind = (typeof metaKinds)[number];

export const metaKey = (kind: MetaKind, keyspace: number): Uint8Array =>
  encodeUtf8(`${kind}/${keyspace}`);

export const metaKeysOf = (keyspace: number): Uint8Array[] =>
  metaKinds.map((kind) => metaKey(kind, keyspace));

/** Undefined for a key that is about something else. */
export function parseMetaKey(
  key: Uint8Array,
): { readonly kind: MetaKind; readonly keyspace: number } | undefined {
  const [name, number] = decodeUtf8(key).split('/');
  const kind = metaKinds.find((each) => each === name);
  return kind === undefined ? undefined : { kind, keyspace: Number(number) };
}
