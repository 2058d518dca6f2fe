/** How keys and values go into the library and come out of it. */

/** Views of longer values are not kept. */
const lentBytesMax = 4_096;

/**
 * Values as the library lends them: a view of a buffer that its next read overwrites, and of whose
 * bytes only the first `length` are the value's. Saves a copy of each value that is only looked at,
 * and mostly the view, too: the buffer stays, so that one view for each length is enough.
 */
export class Lending {
  #lent: ArrayBufferLike | undefined;
  #offset = 0;
  readonly #views: (Buffer | undefined)[] = [];

  readonly encode = (value: Buffer): Buffer => value;

  readonly decode = (
    bytes: Buffer,
    given: number | { readonly end?: number } | undefined,
  ): Buffer => {
    const length = typeof given === 'number' ? given : bytes.length;
    if (length > lentBytesMax) return bytes.subarray(0, length);
    if (bytes.buffer !== this.#lent || bytes.byteOffset !== this.#offset) {
      this.#lent = bytes.buffer;
      this.#offset = bytes.byteOffset;
      this.#views.length = 0;
    }
    return (this.#views[length] ??= bytes.subarray(0, length));
  };
}

/**
 * Keys as they are, and lent as values are: the next key of its length overwrites one. They are short,
 * so that a loop copies them quicker than the library's way through a slice.
 */
export class LendingKeys {
  readonly #keys: (Uint8Array | undefined)[] = [];

  readonly writeKey = (key: Buffer, target: Buffer, start: number): number => {
    target.set(key, start);
    return start + key.byteLength;
  };

  readonly readKey = (source: Buffer, start: number, end: number): Uint8Array => {
    const key = (this.#keys[end - start] ??= new Uint8Array(end - start));
    for (let at = start; at < end; at += 1) key[at - start] = source[at] ?? 0;
    return key;
  };
}
