import { expect } from 'chai';
import * as fc from 'fast-check';
import { DocumentCache } from './document-cache.ts';

const document = (version: number, length = 100) => ({ version, text: 'x'.repeat(length) });

describe('The cache of documents', () => {
  it('answers what it was given, for the group that it was given for', () => {
    const cache = new DocumentCache(10_000);
    const [one, other] = [cache.group(), cache.group()];
    one.keep('a', document(7));
    expect(one.get('a')).to.include(document(7));
    expect(other.get('a')).to.equal(undefined);
    expect(one.get('b')).to.equal(undefined);
    expect(cache.counters).to.deep.equal({ hits: 1, misses: 2 });
  });

  it('holds no more than it may, and what was read twice last', () => {
    const cache = new DocumentCache(10_000);
    const groups = [cache.group(), cache.group(), cache.group()];
    for (let at = 0; at < 1_000; at += 1) {
      groups[at % 3]?.keep(`k${at}`, document(at));
      groups[at % 3]?.keep(`k${at}`, document(at));
      expect(cache.bytes).to.be.at.most(10_000);
    }
    expect(groups[999 % 3]?.get('k999')).to.include(document(999));
    expect(groups[0]?.get('k0')).to.equal(undefined);
  });

  it('is not emptied by documents that are read once each', () => {
    const cache = new DocumentCache(10_000);
    const group = cache.group();
    const first = Array.from({ length: 30 }, (_, at) => `first ${at}`);
    for (const name of first) group.keep(name, document(1));
    for (let at = 0; at < 100_000; at += 1) group.keep(`once ${at}`, document(2));
    expect(first.filter((name) => group.get(name) !== undefined)).to.have.length(30);
  });

  it('keeps what is read again and again', () => {
    const group = new DocumentCache(10_000).group();
    group.keep('hot', document(1));
    for (let at = 0; at < 1_000; at += 1) {
      group.keep(`k${at}`, document(at));
      expect(group.get('hot')).to.include(document(1));
    }
  });

  it('keeps nothing that is larger than all of it, and nothing at all when it is off', () => {
    const group = new DocumentCache(1_000).group();
    group.keep('large', document(1, 1_000));
    expect(group.get('large')).to.equal(undefined);
    const off = new DocumentCache(0);
    const nothing = off.group();
    nothing.keep('a', document(1, 0));
    expect(nothing.get('a')).to.equal(undefined);
    expect(off.bytes).to.equal(0);
  });

  it('takes over a write of a document that it has, and does not fill itself with writes', () => {
    const cache = new DocumentCache(10_000);
    const group = cache.group();
    group.keep('a', document(1));
    group.replaced('a', document(2));
    group.replaced('b', document(2));
    expect(group.get('a')).to.include(document(2));
    expect(group.get('b')).to.equal(undefined);
    group.replaced('a', undefined);
    expect(group.get('a')).to.equal(undefined);
    expect(cache.bytes).to.equal(0);
  });

  it('gives the room of a group that is gone to the others, and takes nothing for it any more', () => {
    const cache = new DocumentCache(2_000);
    const [gone, other] = [cache.group(), cache.group()];
    for (let at = 0; at < 8; at += 1) (at % 2 === 0 ? gone : other).keep(`k${at}`, document(at));
    gone.forget();
    gone.keep('late', document(1));
    expect(gone.get('late')).to.equal(undefined);
    other.forget();
    expect(cache.bytes).to.equal(0);
  });

  it('never answers anything but what the store has', () => {
    const step = fc.record({
      does: fc.constantFrom('read', 'write', 'remove'),
      group: fc.constantFrom(0, 1),
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      length: fc.integer({ min: 0, max: 900 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const cache = new DocumentCache(4_000);
        const groups = [cache.group(), cache.group()] as const;
        const store = new Map<string, { version: number; text: string }>();
        for (const [at, { does, group, name, length }] of steps.entries()) {
          const place = `${group}/${name}`;
          if (does === 'read') {
            const cached = groups[group].get(name);
            const stored = store.get(place);
            if (cached !== undefined) expect(cached).to.include(stored);
            else if (stored !== undefined) groups[group].keep(name, stored);
          } else {
            const next = does === 'write' ? document(at, length) : undefined;
            if (next === undefined) store.delete(place);
            else store.set(place, next);
            groups[group].replaced(name, next);
          }
          expect(cache.bytes).to.be.within(0, 4_000);
        }
      }),
    );
  });
});
