import { expect } from 'chai';
import { Expectations } from './expectations.ts';
import type { CachedObject } from './object.ts';

function object(
  uid: string,
  resourceVersion: string,
  more: { generation?: number; deletionTimestamp?: string } = {},
): CachedObject {
  return { metadata: { namespace: 'ns', name: 'a', uid, resourceVersion, ...more } };
}

const minuteMs = 60_000;

describe('expectations', () => {
  it('hold until the cache shows that the object goes, is gone, or is another', () => {
    const shown: readonly (CachedObject | undefined)[] = [
      undefined,
      object('u2', '9'),
      object('u1', '6', { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    ];
    for (const seen of shown) {
      const expectations = new Expectations();
      expectations.deleted('c', 'Pod', object('u1', '5'), 0);
      expect(expectations.outstanding('c', () => object('u1', '5'), 1)).to.deep.equal([
        'Pod ns/a to be seen deleted',
      ]);
      expect(expectations.outstanding('c', () => seen, 2)).to.deep.equal([]);
      expect(expectations.size).to.equal(0);
    }
  });

  it('hold until the cache shows the generation that was written', () => {
    const expectations = new Expectations();
    expectations.written('c', 'StatefulSet', object('u1', '7', { generation: 4 }), 0);
    const old = object('u1', '5', { generation: 3 });
    expect(expectations.outstanding('c', () => old, 1)).to.have.length(1);
    expect(expectations.outstanding('c', () => undefined, 1)).to.have.length(1);
    expect(expectations.outstanding('d', () => old, 1)).to.deep.equal([]);
    const now = object('u1', '7', { generation: 4 });
    expect(expectations.outstanding('c', () => now, 2)).to.deep.equal([]);
  });

  it('do not take the object before a recreation for the one after it', () => {
    const expectations = new Expectations();
    expectations.written('c', 'StatefulSet', object('u2', '20', { generation: 1 }), 0);
    const before = object('u1', '15', { generation: 9 });
    expect(expectations.outstanding('c', () => before, 1)).to.have.length(1);
    const later = object('u3', '30', { generation: 1 });
    expect(expectations.outstanding('c', () => later, 2)).to.deep.equal([]);
  });

  it('compare versions where a kind has no generation', () => {
    const expectations = new Expectations();
    expectations.written('c', 'ConfigMap', object('u1', '20'), 0);
    expect(expectations.outstanding('c', () => object('u1', '19'), 1)).to.have.length(1);
    expect(expectations.outstanding('c', () => object('u1', '21'), 1)).to.deep.equal([]);
  });

  it('remember only the last thing done to an object', () => {
    const expectations = new Expectations();
    expectations.written('c', 'Pod', object('u1', '7', { generation: 4 }), 0);
    expectations.deleted('c', 'Pod', object('u1', '7'), 0);
    expect(
      expectations.outstanding('c', () => object('u1', '7', { generation: 4 }), 1),
    ).to.deep.equal(['Pod ns/a to be seen deleted']);
  });

  it('give up after five minutes, and with their owner', () => {
    const expectations = new Expectations();
    const stuck = object('u1', '5');
    expectations.deleted('c', 'Pod', stuck, 0);
    expect(expectations.outstanding('c', () => stuck, 5 * minuteMs)).to.have.length(1);
    expect(expectations.outstanding('c', () => stuck, 5 * minuteMs + 1)).to.deep.equal([]);
    expectations.deleted('c', 'Pod', stuck, 0);
    expectations.forget('c');
    expect(expectations.size).to.equal(0);
  });
});
