import { expect } from 'chai';
import { TruncatedError } from '../common/byte-reader.ts';
import { TableMessageError } from './errors.ts';
import { decodeKeptOutcomes, encodeKeptOutcomes } from './kept-outcomes.ts';
import type { EditOutcome } from './table-edit.ts';

describe('outcomes that the log keeps', () => {
  const plain: EditOutcome = { result: 'inserted' };
  const failed: EditOutcome = {
    result: 'failed',
    error: { code: 'c', message: 'm', type: 3 },
  };

  it('come back as they were, but for documents of edits that were returned', () => {
    const full: EditOutcome = {
      result: 'replaced',
      old: '1',
      new: '2',
      damage: 'd',
    };
    const returned: EditOutcome = {
      result: 'returned',
      old: '{}',
      basis: { version: 1, generation: 2 },
    };
    const all = [plain, plain, failed, full, returned, plain];
    expect(decodeKeptOutcomes(encodeKeptOutcomes(all, 1_000))).to.deep.equal([
      plain,
      plain,
      failed,
      full,
      { result: 'returned' },
      plain,
    ]);
  });

  it('take few bytes for many of the same', () => {
    const many = Array.from({ length: 5_000 }, () => plain);
    const bytes = encodeKeptOutcomes(many, 100);
    expect(bytes.byteLength).to.equal(14);
    expect(decodeKeptOutcomes(bytes)).to.deep.equal(many);
  });

  it('are left out when they are too large', () => {
    const large = { result: 'replaced', old: 'x'.repeat(100) } as const;
    expect(encodeKeptOutcomes([plain, large], 100).byteLength).to.equal(0);
  });

  it('are refused when they are none', () => {
    const bytes = encodeKeptOutcomes([plain, failed], 1_000);
    expect(() => decodeKeptOutcomes(bytes.subarray(0, -1))).to.throw(TruncatedError);
    const many = Uint8Array.from([1, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0]);
    expect(() => decodeKeptOutcomes(many)).to.throw(TableMessageError);
  });
});
