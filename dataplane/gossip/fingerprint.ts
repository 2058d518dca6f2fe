/**
 * Stands for a set of texts, whatever their order: two nodes whose fingerprints are equal know the same, and
 * need not exchange it. A text is put in and taken out in the same way, in a time that does not grow with the
 * set. Collisions are as rare as 53 bits make them; nobody but members of the cluster can seek them.
 */
const offsets = [0x811c9dc5, 0x1b873593] as const;
const prime = 0x01000193;
/** With 32 bits of the other half: a safe integer. */
const highBits = 21;

/** FNV-1a, and its bits mixed as MurmurHash3 does at its end. */
function hashOf(text: string, offset: number): number {
  let hash = offset;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), prime);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

export class Fingerprint {
  #low = 0;
  #high = 0;

  toggle(text: string): void {
    this.#low ^= hashOf(text, offsets[0]);
    this.#high ^= hashOf(text, offsets[1]);
  }

  get value(): number {
    return (this.#high >>> (32 - highBits)) * 2 ** 32 + (this.#low >>> 0);
  }
}
