import { expect } from 'chai';
import { LogHistory } from './log-history.ts';

describe('the history of the log', () => {
  it('keeps the last messages with their fields and passes all of them on', () => {
    const passed: string[] = [];
    const note = (message: string): void => void passed.push(message);
    const history = new LogHistory({ debug: note, error: note, warn: note, info: note }, () => 7);
    history.warn('first');
    for (let number = 0; number < 999; number += 1) history.info('n', { number });
    history.debug('detail');
    history.error('last');
    expect(passed.length).to.equal(1_002);
    expect(history.messages.length).to.equal(1_000);
    expect(history.messages[0]).to.deep.equal({
      atMs: 7,
      level: 'info',
      message: 'n {"number":0}',
    });
    expect(history.messages.at(-1)).to.deep.include({ level: 'error', message: 'last' });
  });
});
