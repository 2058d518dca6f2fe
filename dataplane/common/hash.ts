import { createHash, createHmac } from 'node:crypto';

/** Cryptographic digests, for the pure folders, which may not reach for node:crypto themselves. */

export function sha1(bytes: Uint8Array): Uint8Array {
  return createHash('sha1').update(bytes).digest();
}

/** Of bytes that come in pieces. */
export class Sha1 {
  readonly #hash = createHash('sha1');

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): Uint8Array {
    return this.#hash.digest();
  }
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

export function hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(bytes).digest();
}
