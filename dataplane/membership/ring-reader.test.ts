import { expect } from 'chai';
import { noBytes } from '../common/bytes.ts';
import { DeadlineError } from '../net/errors.ts';
import { RingReader } from './ring-reader.ts';

describe('reading the gossip keys of other nodes', () => {
  const answers: (Uint8Array | Error | Promise<Uint8Array>)[] = [];
  const received: string[] = [];
  const warnings: object[] = [];
  const reader = new RingReader({
    mesh: {
      request: async () => {
        const answer = await answers.shift();
        if (answer instanceof Uint8Array) return answer;
        throw answer ?? new Error('it was asked too often');
      },
    },
    log: { info: () => undefined, warn: (_, fields) => void warnings.push(fields ?? {}) },
    received: (payload) => void received.push(Buffer.from(payload).toString()),
  });

  it('asks again a node that did not answer, or has none yet', async () => {
    answers.push(new DeadlineError('It did not answer.'), noBytes, Buffer.from('ring'));
    for (let at = 0; at < 3; at += 1) await reader.read('a');
    expect(received).to.deep.equal(['ring']);
    expect(warnings).to.deep.equal([{ id: 'a', reason: 'It did not answer.' }]);
  });

  it('has one request to a node under way at a time', async () => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    answers.push(promise);
    const first = reader.read('a');
    await reader.read('a');
    resolve(Buffer.from('later'));
    await first;
    expect(received).to.deep.equal(['ring', 'later']);
  });
});
