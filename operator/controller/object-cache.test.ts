import { expect } from 'chai';
import type { CachedObject } from './object.ts';
import { keyOf, nameOf } from './object.ts';
import { ObjectCache } from './object-cache.ts';

function pod(
  name: string,
  uid: string,
  resourceVersion: string,
  more: { owner?: string; pool?: string } = {},
): CachedObject {
  return {
    metadata: {
      namespace: 'ns',
      name,
      uid,
      resourceVersion,
      ...(more.owner === undefined ? {} : { ownerReferences: [{ uid: more.owner }] }),
      ...(more.pool === undefined ? {} : { labels: { pool: more.pool } }),
    },
  };
}

const said = (changes: readonly { type: string; object: CachedObject }[]): string[] =>
  changes.map(
    ({ type, object }) => `${type} ${object.metadata.uid}@${object.metadata.resourceVersion}`,
  );

describe('object cache', () => {
  it('reports additions, modifications and deletions, and nothing when nothing is new', () => {
    const cache = new ObjectCache<CachedObject>([]);
    expect(said(cache.see(pod('a', 'u1', '5')))).to.deep.equal(['added u1@5']);
    expect(said(cache.see(pod('a', 'u1', '5')))).to.deep.equal([]);
    expect(said(cache.see(pod('a', 'u1', '6')))).to.deep.equal(['modified u1@6']);
    expect(said(cache.remove(pod('a', 'u1', '7')))).to.deep.equal(['deleted u1@7']);
    expect(cache.size).to.equal(0);
  });

  it('takes another UID under the same name for a deletion and an addition', () => {
    const cache = new ObjectCache<CachedObject>([]);
    cache.see(pod('a', 'u1', '5'));
    expect(said(cache.replace([pod('a', 'u2', '9')]))).to.deep.equal([
      'deleted u1@5',
      'added u2@9',
    ]);
    cache.see(pod('a', 'u3', '11'));
    expect(cache.get('ns/a')?.metadata.uid).to.equal('u3');
  });

  it('does not go back in time for a late event, nor bring a deleted object back', () => {
    const cache = new ObjectCache<CachedObject>([]);
    cache.see(pod('a', 'u1', '8'));
    expect(cache.see(pod('a', 'u1', '6'))).to.deep.equal([]);
    expect(cache.get('ns/a')?.metadata.resourceVersion).to.equal('8');
    cache.remove(pod('a', 'u1', '9'));
    expect(cache.see(pod('a', 'u1', '8'))).to.deep.equal([]);
    expect(cache.size).to.equal(0);
  });

  it('ignores the deletion of an earlier holder of the name', () => {
    const cache = new ObjectCache<CachedObject>([]);
    cache.see(pod('a', 'u2', '8'));
    expect(cache.remove(pod('a', 'u1', '7'))).to.deep.equal([]);
    expect(cache.size).to.equal(1);
  });

  it('believes a listing even when it lies in the past, as after a restored backup', () => {
    const cache = new ObjectCache<CachedObject>([]);
    cache.see(pod('a', 'u1', '100'));
    cache.see(pod('b', 'u2', '101'));
    expect(said(cache.replace([pod('a', 'u1', '40')]))).to.deep.equal([
      'deleted u2@101',
      'modified u1@40',
    ]);
  });

  it('finds objects by owner, label and namespace, and follows their changes', () => {
    const cache = new ObjectCache<CachedObject>(['pool']);
    cache.see(pod('a', 'u1', '1', { owner: 'set', pool: 'main' }));
    cache.see(pod('b', 'u2', '2', { owner: 'set', pool: 'reports' }));
    const names = (objects: readonly CachedObject[]): string[] =>
      objects.map((object) => object.metadata.name);
    expect(names(cache.ownedBy('set'))).to.deep.equal(['a', 'b']);
    expect(names(cache.labelled('pool', 'main'))).to.deep.equal(['a']);
    expect(names(cache.inNamespace('ns'))).to.deep.equal(['a', 'b']);
    cache.see(pod('a', 'u1', '3', { pool: 'reports' }));
    expect(names(cache.ownedBy('set'))).to.deep.equal(['b']);
    expect(names(cache.labelled('pool', 'main'))).to.deep.equal([]);
    expect(() => cache.labelled('zone', 'x')).to.throw('not indexed');
  });

  it('leaves nothing behind in its indexes', () => {
    const cache = new ObjectCache<CachedObject>(['pool']);
    for (let round = 0; round < 100; round += 1) {
      const version = String(round);
      cache.replace([pod('a', `u${round}`, version, { owner: version, pool: version })]);
    }
    cache.replace([]);
    expect(cache.indexSize).to.equal(0);
    expect(cache.all()).to.deep.equal([]);
  });

  it('has keys that lead back to names', () => {
    for (const name of [{ name: 'a' }, { namespace: 'ns', name: 'a.b' }]) {
      expect(nameOf(keyOf(name))).to.deep.equal(name);
    }
  });
});
