import { expect } from 'chai';
import { needsFrom, replacementOf } from './replacement.ts';
import type { Witnesses } from './replacement.ts';

const lost = 'a';
const need = (change: object = {}) => ({ id: lost, status: 'dead', need: '', ...change });

function witnesses(change: Partial<Witnesses> = {}): Witnesses {
  return { others: 2, seen: ['dead', 'left'], needs: [need()], ...change };
}

describe('a node that lost its volume', () => {
  const cases: readonly (readonly [
    about: string,
    given: Witnesses,
    type: string,
    words?: string,
  ])[] = [
    ['is replaced when the others have everything and see it gone', witnesses(), 'replace'],
    [
      'is replaced when the others do not know it, and the metadata neither',
      witnesses({ seen: [undefined, undefined], needs: [] }),
      'replace',
    ],
    [
      'is replaced when most of the others see it gone',
      witnesses({ others: 4, seen: ['dead', 'dead', 'dead', 'alive'] }),
      'replace',
    ],
    [
      'waits while half of the others see it',
      witnesses({ others: 4, seen: ['dead', 'dead', 'suspect', 'alive'] }),
      'wait',
      '2 of 4',
    ],
    ['waits while one of two does not answer', witnesses({ seen: ['dead'] }), 'wait', '1 of 2'],
    [
      'waits while the leader of the metadata sees it',
      witnesses({ needs: [need({ status: 'suspect' })] }),
      'wait',
    ],
    [
      'is not replaced when a shard has no majority without it',
      witnesses({
        needs: [need({ need: 'shard 0 of table `shop.t` has no majority without it' })],
      }),
      'refuse',
      'shop.t',
    ],
    [
      'is not replaced when nobody leads the metadata',
      witnesses({ needs: { failure: 'no leader is known' } }),
      'refuse',
      'no leader is known',
    ],
    [
      'is not replaced when it is the only node',
      witnesses({ others: 0, seen: [], needs: [] }),
      'refuse',
    ],
  ];
  for (const [about, given, type, words = ''] of cases) {
    it(about, () => {
      const found = replacementOf(lost, given);
      expect(found.type).to.equal(type);
      expect('message' in found ? found.message : '').to.contain(words);
    });
  }
});

describe('what the leader of the metadata answers', () => {
  it('counts only as a whole', () => {
    const whole = { ...need(), name: 'orders-main-0-0' };
    expect(needsFrom({ members: [whole] })).to.deep.equal([need()]);
    expect(needsFrom({ members: [] })).to.deep.equal([]);
    const bad = [
      undefined,
      1,
      {},
      { members: 1 },
      { members: [whole, { id: 'b' }] },
      { members: [0] },
    ];
    for (const answer of bad) expect(needsFrom(answer)).to.equal(undefined);
  });
});
