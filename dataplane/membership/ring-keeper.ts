import { createHash } from 'node:crypto';
import type { Chance } from '../common/chance.ts';
import { keyBytes, KeyRing } from '../security/key-ring.ts';
import { readFile, writeFile } from './cluster-files.ts';
import type { ClusterFiles, StoredRing } from './cluster-files.ts';
import { FormationError } from './errors.ts';
import { codec, list } from './messages.ts';

/**
 * The gossip keys of the cluster as this node has them. Every step of a rotation raises the version, so that
 * a node which was away takes the newest ring from whomever it meets. Guarded invariant: the version never
 * goes back, also over restarts.
 */
const key = { type: 'string', pattern: `^[0-9a-f]{${keyBytes * 2}}$` } as const;
const keysMax = 8;

export const ringCodec = codec<StoredRing>('gossip keys', {
  version: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
  keys: { ...list(key, keysMax), minItems: 1, uniqueItems: true },
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'hex');

/** Names a ring without telling its keys. */
export const digestOf = ({ version, keys }: StoredRing): string =>
  `${version}-${createHash('sha256').update(keys.join()).digest('hex').slice(0, 16)}`;

export class RingKeeper {
  readonly #files: ClusterFiles;
  #stored: StoredRing;
  readonly ring: KeyRing;

  constructor(files: ClusterFiles, stored: StoredRing) {
    this.#files = files;
    this.#stored = stored;
    this.ring = new KeyRing(stored.keys.map(bytesOf));
  }

  /** Of the founder. */
  static create(files: ClusterFiles, chance: Pick<Chance, 'bytes'>): RingKeeper {
    const stored = { version: 1, keys: [hex(chance.bytes(keyBytes))] };
    writeFile(files, 'ring', stored);
    return new RingKeeper(files, stored);
  }

  /** Undefined before the node has received the keys. */
  static open(files: ClusterFiles): RingKeeper | undefined {
    const stored = readFile(files, 'ring');
    return stored === undefined ? undefined : new RingKeeper(files, stored);
  }

  static receive(files: ClusterFiles, stored: StoredRing): RingKeeper {
    writeFile(files, 'ring', stored);
    return new RingKeeper(files, stored);
  }

  get stored(): StoredRing {
    return this.#stored;
  }

  get digest(): string {
    return digestOf(this.#stored);
  }

  /** Takes over a newer ring. Two rings of one version are ordered by their digests. */
  adopt(other: StoredRing): boolean {
    const { version } = this.#stored;
    const isNewer =
      other.version > version || (other.version === version && digestOf(other) > this.digest);
    if (!isNewer) return false;
    writeFile(this.#files, 'ring', other);
    this.#stored = other;
    this.ring.replace(other.keys.map(bytesOf));
    return true;
  }

  /** The ring with one more key, which decrypts everywhere before the next step. */
  withNewKey(chance: Pick<Chance, 'bytes'>): StoredRing {
    const { version, keys } = this.#stored;
    if (keys.length >= keysMax) {
      throw new FormationError(
        `The ring has ${keysMax} keys already; remove the former ones first.`,
      );
    }
    return { version: version + 1, keys: [...keys, hex(chance.bytes(keyBytes))] };
  }

  /** The ring whose newest key encrypts. */
  withNewestFirst(): StoredRing {
    const { version, keys } = this.#stored;
    const newest = keys.at(-1) ?? '';
    return { version: version + 1, keys: [newest, ...keys.slice(0, -1)] };
  }

  /** The ring without the keys that encrypt nowhere any more. */
  withFirstOnly(): StoredRing {
    const { version, keys } = this.#stored;
    return { version: version + 1, keys: keys.slice(0, 1) };
  }
}
