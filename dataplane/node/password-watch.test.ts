import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { Clock } from '../common/clock.ts';
import { PasswordWatch } from './password-watch.ts';

/** A watch over a file that the test writes; `look` lets it look once. */
class World {
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
  let world: World;
  let stop: AbortController;

  beforeEach(() => {
    stop = new AbortController();
    world = new World(stop.signal);
  });

  afterEach(() => stop.abort(new Error('the test is over')));

  it('settles a new password once two looks agree, and says so once', async () => {
    await world.look(3);
    expect([world.settled, world.said]).to.deep.equal([[], []]);
    world.content = 'second';
    await world.look();
    expect(world.settled).to.deep.equal([]);
    await world.look(5);
    expect(world.settled).to.deep.equal(['second']);
    expect(world.said).to.have.length(1);
    expect(world.said[0]).to.contain('the password of the admin was changed');
    expect(world.said.join()).to.not.contain('second');
  });

  it('does not take what a file holds while it is being written', async () => {
    world.content = 'sec';
    await world.look();
    world.content = 'second';
    await world.look(2);
    expect(world.settled).to.deep.equal(['second']);
  });

  it('keeps the former one while the file is gone or refused, and says why once', async () => {
    world.content = new Error('ENOENT: no such file');
    await world.look(5);
    world.content = '';
    await world.look(5);
    expect(world.settled).to.deep.equal([]);
    expect(world.said).to.have.length(2);
    expect(world.said[0]).to.contain('ENOENT');
    expect(world.said[1]).to.contain('it is empty');
    world.content = 'first';
    await world.look(3);
    expect(world.settled).to.deep.equal([]);
  });

  it('tries again what could not be made durable', async () => {
    world.content = 'second';
    world.failure = new Error('the disk is full');
    await world.look(4);
    expect(world.said).to.have.length(1);
    world.failure = undefined;
    await world.look();
    expect(world.settled).to.deep.equal(['second']);
  });
});
