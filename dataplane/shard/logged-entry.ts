import { decodeUtf8 } from '../common/bytes.ts';
import type { MemtableEntry } from './memtable.ts';

/** What the log brought of one key. Its text is made when it is read, which few of those of a follower are. */
export class LoggedEntry implements MemtableEntry {
  readonly key: Uint8Array;
  readonly index: number;
  readonly bytes: number;
  readonly isUnchecked = true;
  isShown = false;
  readonly #body: Uint8Array | undefined;
  #text: string | undefined;

  constructor(key: Uint8Array, { index, body, bytes }: LoggedBody) {
    this.key = key;
    this.index = index;
    this.bytes = bytes;
    this.#body = body;
  }

  get text(): string | undefined {
    if (this.#body === undefined) return undefined;
    return (this.#text ??= decodeUtf8(this.#body));
  }
}

interface LoggedBody {
  readonly index: number;
  /** UTF-8; undefined for a deletion. */
  readonly body: Uint8Array | undefined;
  readonly bytes: number;
}
