import { expect } from 'chai';
import { ManualClock } from '../../wal/testing/manual-clock.ts';
import { Ailment } from './ailment.ts';

const well = { refusal: undefined, trouble: undefined };

describe('what keeps a node from leading', () => {
  it('is a full disk or a full log, at once', () => {
    for (const full of [{ refusal: 'almost full' }, { trouble: 'full' as const }]) {
      const ailment = new Ailment(new ManualClock());
      expect(ailment.look(well)).to.equal('');
      expect(ailment.look({ ...well, ...full })).to.equal('the disk of its log is full');
    }
  });

  it('is a log that is slow for some seconds', () => {
    const clock = new ManualClock();
    const ailment = new Ailment(clock);
    for (let at = 0; at < 10; at += 1) {
      expect(ailment.look({ ...well, trouble: 'slow' }), String(at)).to.equal('');
      clock.advance(500);
    }
    expect(ailment.look({ ...well, trouble: 'slow' })).to.contain('more than a second');
  });

  it('is no log that was quick in between, and no process that was paused', () => {
    const clock = new ManualClock();
    const ailment = new Ailment(clock);
    for (let at = 0; at < 20; at += 1) {
      const trouble = at % 8 === 7 ? undefined : 'slow';
      expect(ailment.look({ ...well, trouble }), String(at)).to.equal('');
      clock.advance(at === 12 ? 20_000 : 500);
    }
  });

  it('lasts a while longer than its cause', () => {
    const clock = new ManualClock();
    const ailment = new Ailment(clock);
    ailment.look({ ...well, trouble: 'full' });
    clock.advance(29_999);
    expect(ailment.look(well)).to.not.equal('');
    clock.advance(1);
    expect(ailment.look(well)).to.equal('');
  });
});
