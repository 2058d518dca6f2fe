import { expect } from 'chai';
import { DiskGate } from './disk-gate.ts';

const mebibyte = 1_048_576;

describe('the gate before a full disk', () => {
  let now: number;
  let freeMib: number;
  let reusableMib: number;
  let pendingMib: number;
  let totalMib: number;
  let looks: number;
  let changes: boolean[];
  let gate: DiskGate;

  beforeEach(() => {
    [now, freeMib, reusableMib, pendingMib, totalMib] = [0, 1_000, 0, 0, 100_000];
    [looks, changes] = [0, []];
    gate = new DiskGate({
      now: () => now,
      usage() {
        looks += 1;
        return { freeBytes: freeMib * mebibyte, totalBytes: totalMib * mebibyte };
      },
      reusableBytes: () => reusableMib * mebibyte,
      pendingBytes: () => pendingMib * mebibyte,
      changed: (isFull) => changes.push(isFull),
    });
  });

  const refusalAt = (free: number): string | undefined => {
    freeMib = free;
    now += 1_000;
    return gate.refusal('write');
  };

  it('lets writes pass while more than the reserve is free', () => {
    expect(refusalAt(256)).to.equal(undefined);
    expect(changes).to.deep.equal([]);
  });

  it('refuses writes with a sentence that has the figures, and resumes them automatically', () => {
    expect(refusalAt(255)).to.contain(
      '255 MiB free, 0 MiB to be used again in the data file, 0 MiB to come into it, 256 MiB are kept',
    );
    expect(refusalAt(280)).to.not.equal(undefined); // No flicker at the edge.
    expect(refusalAt(288)).to.equal(undefined);
    expect(changes).to.deep.equal([true, false]);
  });

  it('counts what the log has and the data file has not', () => {
    pendingMib = 64;
    expect(refusalAt(320)).to.equal(undefined);
    expect(refusalAt(319)).to.contain('64 MiB to come into it');
    pendingMib = 0;
    expect(refusalAt(319)).to.equal(undefined);
  });

  it('keeps a smaller reserve on a small volume', () => {
    totalMib = 800;
    expect(refusalAt(100)).to.equal(undefined);
    expect(refusalAt(99)).to.contain('100 MiB are kept in reserve');
  });

  it('counts what is free inside of the data file, as long as the log has room', () => {
    reusableMib = 1_000;
    expect(refusalAt(128)).to.equal(undefined);
    expect(refusalAt(127)).to.contain('1000 MiB to be used again');
    expect(refusalAt(143)).to.not.equal(undefined); // No flicker at the edge.
    expect(refusalAt(144)).to.equal(undefined);
  });

  it('lets documents be deleted on a full disk, until the log needs what is left', () => {
    expect(refusalAt(100)).to.contain('until the volume is enlarged or documents are deleted');
    expect(gate.refusal('deletion')).to.equal(undefined);
    expect(refusalAt(60)).to.not.equal(undefined);
    expect(gate.refusal('deletion')).to.contain('until the volume is enlarged, deletions too');
  });

  it('does not look at the disk for every write', () => {
    for (let write = 0; write < 1_000; write += 1) gate.refusal('write');
    expect(looks).to.equal(1);
    now += 100;
    gate.refusal('write');
    expect(looks).to.equal(2);
  });
});
