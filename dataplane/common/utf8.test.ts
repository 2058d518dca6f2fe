import { expect } from 'chai';
import * as fc from 'fast-check';
import { encodeUtf8 } from './bytes.ts';
import { readUtf8 } from './utf8.ts';

describe('UTF-8', () => {
  it('reads back what was encoded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(readUtf8(encodeUtf8(text))).to.equal(text);
      }),
    );
  });

  it('says where bytes cease to be UTF-8', () => {
    const faults: readonly (readonly [number[], number, string])[] = [
      [[0x61, 0xff, 0xfe], 1, 'Invalid initial byte seen'],
      [[0x80], 0, 'Invalid initial byte seen'],
      [[0xc3], 0, 'Expected continuation byte, saw end of string'],
      [[0xe2, 0x82, 0x41], 1, 'Expected continuation byte, saw something else'],
      [[0xc0, 0x80], 1, 'Overlong encoding seen'],
      [[0xf4, 0x90, 0x80, 0x80], 3, 'Non-Unicode character encoded (beyond U+10FFFF)'],
      [[0xed, 0xa0, 0x80], 2, 'Surrogate encoded'],
    ];
    for (const [bytes, position, reason] of faults)
      expect(readUtf8(Uint8Array.from(bytes))).to.deep.equal({ position, reason });
  });

  it('never takes what a decoder would change', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
        const read = readUtf8(bytes);
        if (typeof read === 'string') expect([...encodeUtf8(read)]).to.deep.equal([...bytes]);
        else expect(read.position).to.be.lessThan(bytes.length);
      }),
      { numRuns: 2_000 },
    );
  });
});
