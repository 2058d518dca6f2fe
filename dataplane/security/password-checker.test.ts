import { expect } from 'chai';
import type { Clock } from '../common/clock.ts';
import { PasswordChecker, passwordLimits } from './password-checker.ts';
import { makeVerifier } from './scram.ts';
import type { ScramVerifier } from './scram.ts';
import { machineChance } from '../node/chance.ts';

interface Fixture {
  readonly checker: PasswordChecker;
  readonly users: Map<string, ScramVerifier>;
  /** How often the verifier of a user was asked for, and pauses. */
  readonly pauses: number[];
}

async function fixtureWith(passwords: Record<string, string>): Promise<Fixture> {
  const users = new Map<string, ScramVerifier>();
  for (const [user, password] of Object.entries(passwords)) {
    users.set(user, await makeVerifier(password, machineChance));
  }
  const pauses: number[] = [];
  const clock: Pick<Clock, 'sleep'> = {
    sleep: async (ms) => void pauses.push(ms),
  };
  const { signal } = new AbortController();
  const verifierOf = (user: string) => users.get(user);
  const checker = new PasswordChecker({ verifierOf, clock, chance: machineChance, signal });
  return { checker, users, pauses };
}

describe('the check of passwords', () => {
  it('tells right from wrong, and knows nobody else', async () => {
    const { checker } = await fixtureWith({ admin: 'correct', open: '' });
    const said: string[] = [];
    for (const [user, password] of [
      ['admin', 'correct'],
      ['admin', 'Correct'],
      ['admin', ''],
      ['open', ''],
      ['open', 'correct'],
      ['nobody', ''],
      ['nobody', 'correct'],
    ] as const) {
      said.push(await checker.check(user, password));
    }
    const [right, wrong] = ['right', 'wrong'];
    expect(said).to.deep.equal([right, wrong, wrong, right, wrong, wrong, wrong]);
  });

  it('derives nothing twice: what was asked before costs no pause', async () => {
    const { checker, pauses } = await fixtureWith({ admin: 'correct' });
    for (let count = 0; count < 200; count += 1) {
      expect(await checker.check('admin', 'wrong')).to.equal('wrong');
      expect(await checker.check('admin', 'correct')).to.equal('right');
    }
    expect(pauses).to.deep.equal([passwordLimits.pauseMs]);
  });

  it('answers those that ask the same at once by one look', async () => {
    const { checker, pauses } = await fixtureWith({ admin: 'correct' });
    const asked = Array.from({ length: 500 }, () => checker.check('admin', ''));
    expect(new Set(await Promise.all(asked))).to.deep.equal(new Set(['wrong']));
    await checker.check('admin', 'correct');
    expect(pauses).to.have.length(1);
  });

  it('lets a bounded number wait', async () => {
    const { checker } = await fixtureWith({ admin: 'correct' });
    const asked = Array.from({ length: passwordLimits.waitingMax + 7 }, (_, at) =>
      checker.check('admin', `guess ${at}`),
    );
    const said = await Promise.all(asked);
    expect(said.filter((each) => each === 'busy')).to.have.length(7);
    expect(await checker.check('admin', 'correct')).to.equal('right');
  });

  it('does not look at what is refused when its turn comes', async () => {
    const { checker, pauses } = await fixtureWith({ admin: 'correct' });
    const asked = Array.from({ length: 20 }, (_, at) =>
      checker.check('admin', `guess ${at}`, () => at >= 5),
    );
    expect(await checker.check('admin', 'correct', () => true)).to.equal('wrong');
    await Promise.all(asked);
    expect(await checker.check('admin', 'correct')).to.equal('right');
    expect(pauses).to.have.length(5);
  });

  it('forgets the former password when it was changed', async () => {
    const { checker, users } = await fixtureWith({ admin: 'former' });
    expect(await checker.check('admin', 'former')).to.equal('right');
    expect(await checker.check('admin', 'next')).to.equal('wrong');
    users.set('admin', await makeVerifier('next', machineChance));
    expect(await checker.check('admin', 'former')).to.equal('wrong');
    expect(await checker.check('admin', 'next')).to.equal('right');
  });
});
