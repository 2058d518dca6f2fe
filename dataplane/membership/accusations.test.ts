import { expect } from 'chai';
import { Accusations, accusationsIn } from './accusations.ts';
import { observedCauseNames, observedCauses } from './quarantine-causes.ts';
import { codecLimits } from '../gossip/codec.ts';
import { nodeIdOf } from './testing/mesh-node.ts';

const [a, b] = ['a', 'b'].map(nodeIdOf) as [string, string];
const start = 1_000_000_000;

describe('the accusations of a member', () => {
  for (const cause of observedCauseNames) {
    const { count, withinMs, releaseMs } = observedCauses[cause];

    it(`of ${cause} need ${count} pieces of evidence, and end when no more comes`, () => {
      const own = new Accusations();
      for (let at = 1; at < count; at += 1) own.note(a, cause, `${at}`, start);
      expect(own.textAt(start)).to.equal('');
      own.note(a, cause, 'the last one', start);
      expect(accusationsIn(own.textAt(start))).to.deep.equal([
        { about: a, cause, detail: 'the last one', since: start, until: start + releaseMs },
      ]);
      const later = start + releaseMs / 2;
      own.note(a, cause, 'again', later);
      const [standing] = accusationsIn(own.textAt(later));
      expect(standing).to.include({ since: start, until: later + releaseMs });
      expect(own.textAt(later + releaseMs - 1)).not.to.equal('');
      expect(own.textAt(later + releaseMs)).to.equal('');
    });

    it(`of ${cause} do not count what was seen too long ago`, () => {
      const own = new Accusations();
      for (let at = 0; at < 3 * count; at += 1) {
        const now = start + (at * withinMs) / (count - 1) + at;
        own.note(a, cause, '', now);
        expect(own.textAt(now)).to.equal('');
      }
    });
  }

  it('are forgotten with their evidence when the node is released', () => {
    const own = new Accusations();
    for (let at = 0; at < 3; at += 1) {
      own.note(a, 'replay', '', start);
      own.note(b, 'replay', '', start);
    }
    own.clear(a);
    expect(accusationsIn(own.textAt(start)).map(({ about }) => about)).to.deep.equal([b]);
    own.note(a, 'replay', '', start);
    expect(accusationsIn(own.textAt(start)).map(({ about }) => about)).to.deep.equal([b]);
  });

  it('fit into one value of gossiped state, whatever they say', () => {
    const own = new Accusations();
    const letters = '0123456789abcdef'.split('');
    for (const letter of letters) {
      for (const cause of observedCauseNames) {
        for (const detail of ['"\\'.repeat(300), '\u{1f600}'.repeat(300), 'é"\n'.repeat(300)]) {
          for (let at = 0; at < 10; at += 1) own.note(nodeIdOf(letter), cause, detail, start);
        }
      }
    }
    const value = own.textAt(start);
    expect(Buffer.byteLength(value)).to.be.at.most(codecLimits.valueBytes);
    expect(accusationsIn(value).length).to.equal(8);
  });

  it('that cannot be read are none', () => {
    for (const value of [undefined, '', 'x', '{}', '{"accusations":[{"about":"x"}]}', '[]']) {
      expect(accusationsIn(value)).to.deep.equal([]);
    }
  });
});
