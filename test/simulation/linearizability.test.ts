import { expect } from 'chai';
import { checkRegister } from './linearizability.ts';
import type { Operation } from './linearizability.ts';

const write = (value: string, calledAt: number, returnedAt: number): Operation => ({
  kind: 'write',
  value,
  calledAt,
  returnedAt,
});
const read = (value: string | undefined, calledAt: number, returnedAt: number): Operation => ({
  kind: 'read',
  value,
  calledAt,
  returnedAt,
});
const isFine = (...history: Operation[]): boolean => checkRegister(history).isLinearizable;

describe('the checker of linearizability', () => {
  it('accepts a read of the value before or after a write that is under way', () => {
    expect(isFine(write('a', 0, 10), read(undefined, 2, 4))).to.equal(true);
    expect(isFine(write('a', 0, 10), read('a', 2, 4))).to.equal(true);
  });

  it('refuses a read that does not see a write which returned before it', () => {
    expect(isFine(write('a', 0, 10), read(undefined, 11, 12))).to.equal(false);
  });

  it('refuses a read that goes back behind an earlier read', () => {
    const history = [write('a', 0, 10), read('a', 1, 3), read(undefined, 4, 6)];
    expect(isFine(...history)).to.equal(false);
  });

  it('lets a write of unknown outcome happen late or never, but once', () => {
    const unknown = write('a', 0, Number.POSITIVE_INFINITY);
    expect(isFine(unknown, read(undefined, 5, 6))).to.equal(true);
    expect(isFine(unknown, read('a', 5, 6))).to.equal(true);
    const history = [unknown, read('a', 5, 6), write('b', 7, 8), read('a', 9, 10)];
    expect(isFine(...history)).to.equal(false);
  });

  it('names what it could not explain', () => {
    const { unexplained } = checkRegister([write('a', 0, 1), read('b', 2, 3)]);
    expect(unexplained).to.deep.equal([read('b', 2, 3)]);
  });
});
