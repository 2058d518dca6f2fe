import { expect } from 'chai';
import * as fc from 'fast-check';
import { ByteReader, TruncatedError } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { encodeUtf8 } from './bytes.ts';

describe('a byte writer and reader', () => {
  it('give back what was written, whatever the capacity', () => {
    const parts = fc.record({
      small: fc.nat(255),
      short: fc.nat(65_535),
      word: fc.nat(0xffff_ffff),
      long: fc.maxSafeNat(),
      real: fc.double(),
      blob: fc.uint8Array(),
      text: fc.string({ unit: 'grapheme' }),
    });
    fc.assert(
      fc.property(parts, fc.nat(64), (part, capacity) => {
        const writer = new ByteWriter(capacity);
        writer.u8(part.small).u16(part.short).u32(part.word).u64(part.long).f64(part.real);
        writer.prefixed(part.blob).text(part.text).bytes(part.blob);
        const bytes = writer.finish();
        expect(writer.length).to.equal(bytes.byteLength);
        const reader = new ByteReader(bytes);
        expect([reader.u8(), reader.u16(), reader.u32(), reader.u64()]).to.deep.equal([
          part.small,
          part.short,
          part.word,
          part.long,
        ]);
        expect(Object.is(reader.f64(), part.real)).to.equal(true);
        expect(reader.prefixed()).to.deep.equal(Buffer.from(part.blob));
        expect(reader.text()).to.equal(part.text);
        expect(reader.bytes(part.blob.byteLength)).to.deep.equal(Buffer.from(part.blob));
        expect(reader.remaining).to.equal(0);
      }),
    );
  });

  it('refuse bytes that end before what they promise', () => {
    const whole = new ByteWriter().u32(7).text('abcdef').u64(1).finish();
    for (let length = 0; length < whole.byteLength; length += 1) {
      const reader = new ByteReader(whole.subarray(0, length));
      expect(() => [reader.u32(), reader.text(), reader.u64()], `${length}`).to.throw(
        TruncatedError,
      );
    }
    const lying = new ByteWriter().u32(0xffff_ffff).bytes(encodeUtf8('short')).finish();
    expect(() => new ByteReader(lying).prefixed()).to.throw(TruncatedError);
  });

  it('refuse integers that a number cannot hold', () => {
    expect(() => new ByteWriter().u64(-1)).to.throw('not an unsigned safe integer');
    expect(() => new ByteWriter().u64(2 ** 53)).to.throw('not an unsigned safe integer');
    expect(() => new ByteReader(new Uint8Array(8).fill(255)).u64()).to.throw(TruncatedError);
  });

  it('overwrite four bytes that were written before, and no others', () => {
    const writer = new ByteWriter().u32(0).u8(9);
    writer.patchU32(0, 0x0102_0304);
    expect([...writer.finish()]).to.deep.equal([4, 3, 2, 1, 9]);
    expect(() => writer.patchU32(2, 1)).to.throw('patch outside');
  });
});
