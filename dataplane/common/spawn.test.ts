import { expect } from 'chai';
import { spawn } from './spawn.ts';

describe('a spawned task', () => {
  it('hands its failure to the one who started it, also when it throws at once', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    spawn(async () => Promise.reject(new Error('later')), resolve);
    expect(await promise).to.have.property('message', 'later');
    const errors: unknown[] = [];
    spawn(
      () => {
        throw new Error('at once');
      },
      (error) => errors.push(error),
    );
    await Promise.resolve();
    expect(errors[0]).to.have.property('message', 'at once');
  });
});
