import { ByteWriter } from '../common/byte-writer.ts';
import { encodeUtf8 } from '../common/bytes.ts';
import type { NodeId } from './member.ts';

/**
 * What an owner signs of its versioned state: its ID, the generation, the version, and every key with its value
 * and version. One signature covers the whole state, so that a node which passes it on can neither change a
 * value, nor leave a key out, nor mix two versions.
 */
type StateEntries = ReadonlyMap<string, StateEntry>;

export interface StateEntry {
  readonly value: string;
  readonly version: number;
}

/** `unknownKey`: the key of the owner is not known, or its certificate has expired. */
type Verdict = 'valid' | 'invalid' | 'unknownKey';

export interface StateSigner {
  /** With the key of this node. */
  sign(text: Uint8Array): Uint8Array;
  /** `entries`: what the text was made of; they may introduce the key of their owner. */
  verify(owner: NodeId, text: Uint8Array, signature: Uint8Array, entries: StateEntries): Verdict;
}

export interface SignedState {
  readonly generation: number;
  readonly version: number;
  readonly entries: StateEntries;
}

/** Nothing else that the key of a node signs begins like this. */
const purpose = encodeUtf8('photondb gossip state 1\n');

const text = (writer: ByteWriter, value: string): void => {
  const bytes = encodeUtf8(value);
  writer.u32(bytes.byteLength).bytes(bytes);
};

/** The bytes that are signed; the order of the entries does not matter. */
export function signedText(owner: NodeId, { generation, version, entries }: SignedState) {
  const writer = new ByteWriter().bytes(purpose);
  text(writer, owner);
  writer.u64(generation).u64(version).u32(entries.size);
  const sorted = [...entries].sort(([left], [right]) => (left < right ? -1 : 1));
  for (const [key, entry] of sorted) {
    text(writer, key);
    text(writer, entry.value);
    writer.u64(entry.version);
  }
  return writer.finish();
}
