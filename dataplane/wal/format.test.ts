import { expect } from 'chai';
import * as fc from 'fast-check';
import { TruncatedError } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { fromHex, toHex } from '../common/bytes.ts';
import { batchKind, decodeBatch, encodeBatch } from './batch.ts';
import { decodeRanges, rangesBytes, writeRanges } from './group-index.ts';
import { decodeRecords, recordsBytes, writeRecord } from './record.ts';
import type { WalRecord } from './record.ts';
import { decodeHeader, encodeHeader, headerBytes } from './segment-header.ts';

const header = {
  format: 1,
  sequence: 2,
  size: 65_536,
  basePosition: 16_777_216,
  previousCrc: 0x1234_5678,
  salt: 0xdead_beef,
  recycled: false,
};

const record: fc.Arbitrary<WalRecord> = fc.record({
  group: fc.nat(0xffff_ffff),
  term: fc.maxSafeNat(),
  index: fc.maxSafeNat(),
  kind: fc.nat(254),
  payload: fc.uint8Array({ maxLength: 100 }),
});

describe('the bytes of a segment', () => {
  it('are those of format 1', () => {
    // Files of this format exist: who changes these bytes makes a new format.
    expect(toHex(encodeHeader(header))).to.equal(
      '5057414c0100000002000000000000000000010000000000' +
        '000000010000000078563412efbeadde0000000000000000000000000000000000000000' +
        '5a1c9601',
    );
    const place = { kind: batchKind.data, position: 4_096, durablePosition: 4_000 };
    const entry = { group: 1, term: 2, index: 3, kind: 4, payload: fromHex('aabb') };
    const { bytes } = encodeBatch({ ...place, previousCrc: 7, salt: 9 }, 27, (writer) =>
      writeRecord(writer, entry),
    );
    expect(toHex(bytes)).to.equal(
      '505742480100000000100000000000' +
        '00a00f0000000000001b000000070000005ae5cae1' +
        '01000000' +
        '0200000000000000' +
        '0300000000000000' +
        '0402000000aabb' +
        '00',
    );
  });

  it('give back a header, and no header for any other bytes', () => {
    const bytes = encodeHeader(header);
    expect(bytes.byteLength).to.equal(headerBytes);
    expect(decodeHeader(bytes)).to.deep.equal(header);
    for (let at = 0; at < bytes.byteLength; at += 1) {
      const flipped = new Uint8Array(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 0x80;
      expect(decodeHeader(flipped), `byte ${at}`).to.equal(undefined);
      expect(decodeHeader(bytes.subarray(0, at)), `${at} bytes`).to.equal(undefined);
    }
  });

  it('give back records', () => {
    fc.assert(
      fc.property(fc.array(record), (records) => {
        const writer = new ByteWriter();
        for (const each of records) writeRecord(writer, each);
        const bytes = writer.finish();
        expect(bytes.byteLength).to.equal(recordsBytes(records));
        const read = [...decodeRecords(bytes)];
        expect(
          read.map((each) => ({ ...each, payload: Uint8Array.from(each.payload) })),
        ).to.deep.equal(records);
      }),
    );
  });

  it('give back an index of groups', () => {
    const ranges = new Map([
      [0xffff_ffff, { first: 1, last: Number.MAX_SAFE_INTEGER }],
      [0, { first: 3, last: 2 }],
    ]);
    const writer = new ByteWriter();
    writeRanges(writer, ranges);
    expect(writer.length).to.equal(rangesBytes(2));
    expect(decodeRanges(writer.finish())).to.deep.equal(ranges);
  });

  it('are refused by type whatever they are: nothing else is thrown, nothing is believed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decodeHeader(bytes)).to.equal(undefined);
        expect(decodeBatch(bytes, 0, header)).to.equal(undefined);
        for (const decode of [() => [...decodeRecords(bytes)], () => decodeRanges(bytes)]) {
          try {
            decode();
          } catch (error) {
            expect(error).to.be.instanceOf(TruncatedError);
          }
        }
      }),
    );
  });

  it('are no batch at another place, in another segment, or with a bit changed', () => {
    const frame = { basePosition: 100, salt: 5 };
    const place = { kind: batchKind.seal, position: 108, durablePosition: 108, previousCrc: 1 };
    const { bytes } = encodeBatch({ ...place, salt: 5 }, 0, () => undefined);
    const segment = new Uint8Array(64);
    segment.set(bytes, 8);
    expect(decodeBatch(segment, 8, frame)).to.include({ kind: batchKind.seal, end: 48 });
    expect(decodeBatch(bytes, 0, frame)).to.equal(undefined);
    expect(decodeBatch(segment, 8, { ...frame, salt: 6 })).to.equal(undefined);
    expect(decodeBatch(segment, 8, { ...frame, basePosition: 92 })).to.equal(undefined);
    for (let at = 8; at < 48; at += 1) {
      const flipped = new Uint8Array(segment);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      expect(decodeBatch(flipped, 8, frame), `byte ${at}`).to.equal(undefined);
    }
  });
});
