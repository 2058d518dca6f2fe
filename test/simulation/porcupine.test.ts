import { expect } from 'chai';
import { Prng } from '../../dataplane/common/prng.ts';
import type { Recorded } from './cluster/client.ts';
import { runCluster } from './cluster/scenario.ts';
import { checkRegister } from './linearizability.ts';
import type { Operation } from './linearizability.ts';
import { porcupine, verdicts } from './porcupine/judge.ts';

/**
 * The checker of linearizability beside Porcupine (Athalye), on histories of the simulation, on the same ones with a
 * read or a time changed, and on small random ones, where many cannot be explained.
 */
const values = ['a', 'b', 'c'];

/** A few operations at different times; writes may be unknown, and values repeat. */
function randomHistory(random: Prng): Operation[] {
  const count = 2 + random.below(6);
  return Array.from({ length: count }, (_, at): Operation => {
    const calledAt = random.below(40) + at / 1_000;
    const isWrite = random.next() < 0.5;
    const isUnknown = isWrite && random.next() < 0.2;
    return {
      kind: isWrite ? 'write' : 'read',
      value: isWrite || random.next() < 0.8 ? random.pick(values) : undefined,
      calledAt,
      returnedAt: isUnknown
        ? Number.POSITIVE_INFINITY
        : calledAt + 1 + random.below(30) + 0.000_5 + at / 100_000,
    };
  });
}

/** One operation is not what it was. */
function changed(history: readonly Operation[], random: Prng): Operation[] {
  const at = random.below(history.length);
  return history.map((operation, position) => {
    if (position !== at) return operation;
    const { value } = random.pick(history);
    const moved = (random.next() - 0.5) * 100;
    const { calledAt, returnedAt } = operation;
    return random.next() < 0.5
      ? { ...operation, value }
      : {
          ...operation,
          calledAt: Math.max(0, calledAt + moved),
          returnedAt: returnedAt + Math.max(moved, -calledAt),
        };
  });
}

async function simulated(): Promise<Operation[][]> {
  const found = new Map<string, Operation[]>();
  for (let seed = 1; seed <= 6; seed += 1) {
    const recorded = (operations: readonly Recorded[]): void => {
      for (const operation of operations) {
        const name = `${seed} ${operation.group} ${operation.key}`;
        found.set(name, [...(found.get(name) ?? []), operation]);
      }
    };
    await runCluster(seed, undefined, { recorded });
  }
  return [...found.values()];
}

describe('the checker of linearizability beside Porcupine', function beside() {
  this.timeout(600_000);
  let program: string;
  before(async () => (program = await porcupine()));

  it('says the same of small random histories', async () => {
    const random = new Prng(1);
    const histories = Array.from({ length: 4_000 }, () => randomHistory(random));
    const own = histories.map((history) => checkRegister(history).isLinearizable);
    expect(own.filter(Boolean).length).to.be.within(400, 3_600);
    expect(await verdicts(program, histories)).to.deep.equal(own);
  });

  it('says the same of what clients of a simulated cluster saw, and of the same with one change', async () => {
    const random = new Prng(2);
    const histories = await simulated();
    const other = histories.flatMap((history) =>
      Array.from({ length: 5 }, () => changed(history, random)),
    );
    const own = [...histories, ...other].map((each) => checkRegister(each).isLinearizable);
    expect(own.slice(0, histories.length).every(Boolean)).to.equal(true);
    expect(own.includes(false)).to.equal(true);
    expect(await verdicts(program, [...histories, ...other])).to.deep.equal(own);
  });
});
