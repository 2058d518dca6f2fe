import { crc32 as zlibCrc32 } from 'node:zlib';
import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  compareBytes,
  concatBytes,
  copyBytes,
  crc32,
  decodeUtf8,
  encodeUtf8,
  equalBytes,
  fromHex,
  startsWith,
  successor,
  successorOfPrefix,
  toHex,
} from './bytes.ts';

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

describe('byte strings', () => {
  it('compare as unsigned bytes, a prefix before what it begins', () => {
    const sorted = [bytes(), bytes(0), bytes(0, 255), bytes(1), bytes(127), bytes(128), bytes(255)];
    fc.assert(
      fc.property(fc.shuffledSubarray(sorted, { minLength: sorted.length }), (shuffled) => {
        expect(shuffled.toSorted(compareBytes)).to.deep.equal(sorted);
      }),
    );
    expect([equalBytes(bytes(1), bytes(1)), equalBytes(bytes(1), bytes(1, 0))]).to.deep.equal([
      true,
      false,
    ]);
  });

  it('have a successor, and a prefix one that ends its range', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 6 }),
        fc.uint8Array({ maxLength: 4 }),
        (prefix, rest) => {
          const whole = concatBytes([prefix, rest]);
          expect(startsWith(whole, prefix)).to.equal(true);
          expect(compareBytes(prefix, successor(prefix))).to.be.lessThan(0);
          const end = successorOfPrefix(prefix);
          if (end !== undefined) expect(compareBytes(whole, end)).to.be.lessThan(0);
        },
      ),
    );
    expect(successorOfPrefix(bytes(1, 255))).to.deep.equal(bytes(2));
    expect(successorOfPrefix(bytes(255, 255))).to.equal(undefined);
    expect(successor(bytes(1))).to.deep.equal(bytes(1, 0));
  });

  it('are copied without shared memory', () => {
    const source = bytes(1, 2);
    const copy = copyBytes(source);
    source[0] = 9;
    expect(copy).to.deep.equal(bytes(1, 2));
  });

  it('turn into text and hexadecimal and back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeUtf8(encodeUtf8(text))).to.equal(text);
      }),
    );
    expect(toHex(fromHex('00ff10'))).to.equal('00ff10');
  });

  it('have the checksum of the standard, also in parts', () => {
    expect(crc32(encodeUtf8('123456789'))).to.equal(0xcbf43926);
    expect(crc32(encodeUtf8('6789'), crc32(encodeUtf8('12345')))).to.equal(0xcbf43926);
    // Short and long ranges, which are computed in different ways.
    const bytes = Uint8Array.from({ length: 100 }, (_, at) => (at * 37) & 0xff);
    for (let at = 0; at <= 100; at += 1) {
      const inTwo = crc32(bytes, crc32(bytes, 0, 0, at), at);
      expect(inTwo, `cut at ${at}`).to.equal(zlibCrc32(bytes));
    }
  });
});
