import { expect } from 'chai';
import { ByteWriter } from '../common/byte-writer.ts';
import { MemoryStore } from '../kv/memory-store.ts';
import { metaKey } from '../table/meta-key.ts';
import {
  readApplied,
  readAppliedPosition,
  readMembers,
  writeApplied,
  writeMembers,
} from './applied-position.ts';

describe('the applied position of a group', () => {
  it('is its term and its index, and who the members are', async () => {
    const store = new MemoryStore();
    const members = Uint8Array.of(1, 2, 3);
    await store.write((transaction) => {
      writeApplied(transaction, 7, { index: 41, term: 3 });
      writeMembers(transaction, 7, members);
    });
    store.read((view) => {
      expect(readAppliedPosition(view, 7)).to.deep.equal({ index: 41, term: 3 });
      expect(readApplied(view, 7)).to.equal(41);
      expect(readMembers(view, 7)).to.deep.equal(members);
      expect(readAppliedPosition(view, 8)).to.deep.equal({ index: 0, term: 0 });
      expect(readMembers(view, 8)).to.equal(undefined);
    });
  });

  it('is read as releases before wrote it, without a term', async () => {
    const store = new MemoryStore();
    await store.write((transaction) => {
      for (const [group, index] of [
        [7, 41],
        [8, 0],
      ] as const)
        transaction.put('meta', metaKey('applied', group), new ByteWriter().u64(index).finish());
    });
    store.read((view) => {
      expect(readAppliedPosition(view, 7)).to.deep.equal({ index: 41, term: 1 });
      expect(readAppliedPosition(view, 8)).to.deep.equal({ index: 0, term: 0 });
    });
  });
});
