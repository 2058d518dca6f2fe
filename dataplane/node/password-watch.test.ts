import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { Clock } from '../common/clock.ts';
import { PasswordWatch } from './password-watch.ts';

/** A watch over a file that the test writes; `look` lets it look once. */
class Fixture {
  readonly said: string[] = [];
  readonly settled: string[] = [];
  content: string | Error = 'first';
  failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(signal: AbortSignal) {
    const clock: Pick<Clock, 'sleep'> = {
      sleep: (_ms, aborted) =>
        new Promise((resolve, reject) => {
          this.#wake = resolve;
          aborted.addEventListener('abort', () => reject(aborted.reason as Error), { once: true });
        }),
    };
    const say = (message: string, fields: object = {}): void =>
      void this.said.push(`${message} ${JSON.stringify(fields)}`);
    const watch = new PasswordWatch({
      clock,
      logger: { debug: say, info: say, warn: say, error: say },
      initial: 'first',
      read: async () => {
        if (this.content instanceof Error) throw this.content;
        return this.content;
      },
      refusalOf: (password) => (password === '' ? 'it is empty' : undefined),
      settle: async (password) => {
        if (this.failure !== undefined) throw this.failure;
        this.settled.push(password);
        return true;
      },
    });
    watch.run(signal).catch(() => undefined);
  }

  async look(times = 1): Promise<void> {
    for (let count = 0; count < times; count += 1) {
      this.#wake();
      for (let turns = 0; turns < 5; turns += 1) await turn();
    }
  }
}

describe('the watch over the password file', () => {
  let fixture: Fixture;
  let stop: AbortController;

  beforeEach(() => {
    stop = new AbortController();
    fixture = new Fixture(stop.signal);
  });

  afterEach(() => stop.abort(new Error('the test is over')));

  it('applies a new password once two readings agree, and logs it once', async () => {
    await fixture.look(3);
    expect([fixture.settled, fixture.said]).to.deep.equal([[], []]);
    fixture.content = 'second';
    await fixture.look();
    expect(fixture.settled).to.deep.equal([]);
    await fixture.look(5);
    expect(fixture.settled).to.deep.equal(['second']);
    expect(fixture.said).to.have.length(1);
    expect(fixture.said[0]).to.contain('the password of the admin was changed');
    expect(fixture.said.join()).to.not.contain('second');
  });

  it('ignores a file that is being written', async () => {
    fixture.content = 'sec';
    await fixture.look();
    fixture.content = 'second';
    await fixture.look(2);
    expect(fixture.settled).to.deep.equal(['second']);
  });

  it('keeps the former one while the file is missing or refused, and logs the reason once', async () => {
    fixture.content = new Error('ENOENT: no such file');
    await fixture.look(5);
    fixture.content = '';
    await fixture.look(5);
    expect(fixture.settled).to.deep.equal([]);
    expect(fixture.said).to.have.length(2);
    expect(fixture.said[0]).to.contain('ENOENT');
    expect(fixture.said[1]).to.contain('it is empty');
    fixture.content = 'first';
    await fixture.look(3);
    expect(fixture.settled).to.deep.equal([]);
  });

  it('retries what could not be made durable', async () => {
    fixture.content = 'second';
    fixture.failure = new Error('the disk is full');
    await fixture.look(4);
    expect(fixture.said).to.have.length(1);
    fixture.failure = undefined;
    await fixture.look();
    expect(fixture.settled).to.deep.equal(['second']);
  });
});
