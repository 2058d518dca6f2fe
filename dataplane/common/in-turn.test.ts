import { expect } from 'chai';
import { allEnded } from './all-ended.ts';
import { InTurn } from './in-turn.ts';

describe('tasks in turn', () => {
  it('run one after the other, and a failure goes to its own caller only', async () => {
    const turns = new InTurn();
    const seen: string[] = [];
    const first = Promise.withResolvers<string>();
    const tasks = [
      turns.run(() => first.promise),
      turns.run(() => Promise.reject(new Error('second'))),
      turns.run(async () => seen.push('third')),
    ];
    await Promise.resolve();
    expect(seen).to.deep.equal([]);
    first.resolve('first');
    await turns.ended();
    const settled = await Promise.allSettled(tasks);
    expect(settled.map(({ status }) => status)).to.deep.equal([
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
  });
});

describe('waiting until all have ended', () => {
  it('returns all values', async () => {
    expect(await allEnded([Promise.resolve(1), Promise.resolve(2)])).to.deep.equal([1, 2]);
  });

  it('throws the first failure of the list when the last promise has settled', async () => {
    const slow = Promise.withResolvers<number>();
    let hasEnded = false;
    const all = allEnded([
      slow.promise,
      Promise.reject(new Error('first')),
      Promise.reject(new Error('second')),
    ]);
    const ended = all.then(
      () => 'none',
      (error: Error) => {
        hasEnded = true;
        return error.message;
      },
    );
    await Promise.resolve();
    expect(hasEnded).to.equal(false);
    slow.resolve(1);
    expect(await ended).to.equal('first');
  });
});
