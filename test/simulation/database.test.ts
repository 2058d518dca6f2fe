import { expect } from 'chai';
import { checkLists } from './checkers/append-lists.ts';
import type { ListOperation } from './checkers/append-lists.ts';
import { FlippedRow } from './database/flipped-row.ts';
import { runDatabase } from './database/scenario.ts';

/** A sample of what `npm run simulate -- --scenario database` runs for many seeds. */
const seeds = 60;
const slice = 10;

describe('three simulated databases over Raft under faults', function databases() {
  this.timeout(300_000);

  for (let from = 1; from <= seeds; from += slice) {
    it(`lose and repeat no write, and show no stale one: seeds ${from} to ${from + slice - 1}`, async () => {
      for (let seed = from; seed < from + slice; seed += 1) {
        try {
          await runDatabase(seed);
        } catch (error) {
          throw new Error(`npm run simulate -- --scenario database --first ${seed} --seeds 1`, {
            cause: error,
          });
        }
      }
    });
  }

  it('rebuild the replica whose medium changes rows', async () => {
    let flips = 0;
    // In the last four a replica is healed on the way, and is to go on at once.
    for (const seed of [1, 2, 3, 4, 8, 9, 75, 92, 150, 153]) {
      const flipping = new FlippedRow();
      try {
        await runDatabase(seed, () => undefined, flipping);
      } catch (error) {
        throw new Error(`seed ${seed}, with flips`, { cause: error });
      }
      flips += flipping.flips;
    }
    expect(flips).to.be.greaterThan(5);
  });

  // Each of them has found a fault.
  for (const [seed, what] of [
    [233, 'replace no state that is about to be installed'],
    [200_383, 'start again with rows in a store that has no metadata yet'],
    [200_446, 'start again with a part of the metadata in a store that has none yet'],
  ] as const) {
    it(`${what}: seed ${seed}`, async () => {
      await runDatabase(seed);
    });
  }

  it('do the same for the same seed, event by event', async () => {
    const lines: [string[], string[]] = [[], []];
    const results = [];
    for (const trace of lines) results.push(await runDatabase(5, (line) => trace.push(line)));
    expect(results[0]).to.deep.equal(results[1]);
    expect(lines[0]).to.deep.equal(lines[1]);
  });

  it('meet what they are to prove: writes, reads, changes of the metadata, snapshots', async () => {
    const sum = {
      acknowledged: 0,
      reads: 0,
      repeated: 0,
      changes: 0,
      parts: 0,
    };
    for (let seed = 1; seed <= 10; seed += 1) {
      const { acknowledged, reads, repeated, changes, parts } = await runDatabase(seed);
      sum.acknowledged += acknowledged;
      sum.reads += reads;
      sum.repeated += repeated;
      sum.changes += changes;
      sum.parts += parts;
    }
    expect(sum.acknowledged).to.be.greaterThan(1_000);
    expect(sum.reads).to.be.greaterThan(1_000);
    expect(sum.repeated).to.be.greaterThan(20);
    expect(sum.changes).to.be.greaterThan(50);
    expect(sum.parts).to.be.greaterThan(10);
  });
});

describe('the checker of lists', () => {
  const append = (value: string, calledAt: number, returnedAt: number): ListOperation => ({
    list: 'x',
    kind: 'append',
    value,
    calledAt,
    returnedAt,
  });
  const read = (values: readonly string[], calledAt: number): ListOperation => ({
    list: 'x',
    kind: 'read',
    read: values,
    calledAt,
    returnedAt: calledAt + 1,
  });
  const unknown = Number.POSITIVE_INFINITY;
  const check = (operations: readonly ListOperation[], ...final: readonly string[]): void =>
    checkLists(operations, new Map([['x', final]]));

  it('takes what one order explains', () => {
    check([append('1', 0, 5), append('2', 1, 4), read(['2'], 2)], '2', '1');
    check(
      [append('1', 0, 1), append('2', 2, unknown), read(['1'], 9), read(['1', '2'], 20)],
      '1',
      '2',
    );
    check([append('1', 0, unknown), { ...append('2', 0, unknown), isRefused: true }]);
  });

  const bad: readonly (readonly [string, readonly ListOperation[], readonly string[]])[] = [
    ['a lost write', [append('1', 0, 1)], []],
    ['a write that is there twice', [append('1', 0, 1)], ['1', '1']],
    ['a refused write that is there', [{ ...append('1', 0, unknown), isRefused: true }], ['1']],
    [
      'a read of what never was',
      [append('1', 0, 9), append('2', 0, 9), read(['2'], 3)],
      ['1', '2'],
    ],
    ['a stale read', [append('1', 0, 1), read([], 2)], ['1']],
    ['a read behind another', [append('1', 0, 9), read(['1'], 2), read([], 4)], ['1']],
    ['writes against their time', [append('1', 0, 1), append('2', 2, 3)], ['2', '1']],
    ['a read of what comes later', [read(['1'], 0), append('1', 4, 5)], ['1']],
  ];
  for (const [what, operations, final] of bad)
    it(`finds ${what}`, () => {
      expect(() => check(operations, ...final)).to.throw(/^list x: /);
    });
});
