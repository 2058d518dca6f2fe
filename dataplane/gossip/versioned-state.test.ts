import { expect } from 'chai';
import { namedSigner } from './testing/named-signer.ts';
import { VersionedState } from './versioned-state.ts';
import type { DeltaOf } from './versioned-state.ts';

const stateOf = (id: string, generation: number): VersionedState =>
  new VersionedState(id, generation, namedSigner(id));

/** `to` learns what it lacks of `from`. */
const exchange = (from: VersionedState, to: VersionedState): void =>
  void to.merge(from.missing(to.versions));

describe('versioned state (Scuttlebutt)', () => {
  it('travels as what the other side lacks, also through others', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((id) => stateOf(id, 1)) as [
      VersionedState,
      VersionedState,
      VersionedState,
    ];
    a.set('roles', 'data');
    a.set('version', '1');
    exchange(a, b);
    exchange(b, c);
    expect(c.get('a', 'roles')).to.equal('data');
    a.set('version', '2');
    const delta = a.missing(c.versions);
    expect(delta.map(({ id, entries }) => [id, entries.map(({ key }) => key)])).to.deep.equal([
      ['a', ['version']],
    ]);
    exchange(a, c);
    expect(c.get('a', 'version')).to.equal('2');
    expect(a.missing(c.versions)).to.deep.equal([]);
  });

  it('is not written by anybody but its owner, and never goes back', () => {
    const a = stateOf('a', 2);
    const b = stateOf('b', 1);
    a.set('x', '1');
    const early = a.missing(b.versions);
    a.set('x', '2');
    exchange(a, b);
    expect(b.merge(early)).to.deep.equal([]);
    expect(b.get('a', 'x')).to.equal('2');
    a.merge([
      {
        id: 'a',
        generation: 9,
        from: 0,
        version: 9,
        entries: [{ key: 'x', value: 'forged', version: 9 }],
        signature: new Uint8Array(),
      },
    ]);
    expect(a.get('a', 'x')).to.equal('2');
    // Nor by another process with its key: what it says itself comes from itself alone.
    const copy = stateOf('a', 3);
    copy.set('x', 'of a copy');
    expect(a.merge(copy.missing(new Map()))).to.deep.equal([]);
    expect(a.get('a', 'x')).to.equal('2');
  });

  it('of a new generation replaces all of the old one', () => {
    const before = stateOf('a', 1);
    before.set('old', 'yes');
    before.set('old', 'still');
    const b = stateOf('b', 1);
    exchange(before, b);
    const after = stateOf('a', 2);
    after.set('new', 'yes');
    exchange(after, b);
    expect([b.get('a', 'old'), b.get('a', 'new')]).to.deep.equal([undefined, 'yes']);
    b.merge(before.missing(new Map()));
    expect([b.get('a', 'old'), b.get('a', 'new')]).to.deep.equal([undefined, 'yes']);
  });

  it('with a gap is not taken: who has forgotten the beginning asks again', () => {
    const a = stateOf('a', 1);
    const b = stateOf('b', 1);
    a.set('x', '1');
    exchange(a, b);
    a.set('y', '1');
    const late = a.missing(b.versions);
    const restarted = stateOf('b', 2);
    // It is no forgery: whoever has passed it on is not accused.
    expect(restarted.merge(late)).to.deep.equal([]);
    expect(restarted.versions.has('a')).to.equal(false);
    exchange(a, restarted);
    expect([restarted.get('a', 'x'), restarted.get('a', 'y')]).to.deep.equal(['1', '1']);
  });

  it('is taken as its owner has signed it, whatever a node that passes it on makes of it', () => {
    const a = stateOf('a', 1);
    const [b, c] = [stateOf('b', 1), stateOf('c', 1)];
    a.set('x', '1');
    exchange(a, c);
    a.set('y', '1');
    a.set('x', '2');
    const [delta] = a.missing(new Map()) as [DeltaOf];
    const [x, y] = delta.entries as [DeltaOf['entries'][number], DeltaOf['entries'][number]];
    const forgeries: Readonly<Record<string, DeltaOf>> = {
      'another value': { ...delta, entries: [{ ...x, value: 'forged' }, y] },
      'another version of a key': { ...delta, entries: [{ ...x, version: 2 }, y] },
      'a key that is left out': { ...delta, entries: [y] },
      'a key that is added': { ...delta, entries: [x, y, { key: 'z', value: '', version: 3 }] },
      'a key under another name': { ...delta, entries: [{ ...x, key: 'z' }, y] },
      'a version that does not exist': { ...delta, version: 9 },
      'a generation that does not exist': { ...delta, generation: 9 },
      'another owner': { ...delta, id: 'd' },
      'a signature of another version': {
        ...delta,
        signature: (c.missing(new Map()).find(({ id }) => id === 'a') as DeltaOf).signature,
      },
      'no signature': { ...delta, signature: new Uint8Array() },
    };
    for (const [what, forged] of Object.entries(forgeries)) {
      for (const node of [b, c]) {
        const before = node.get('a', 'x');
        expect(node.merge([forged]), what).to.deep.equal([
          { owner: forged.id, reason: 'stateSignature' },
        ]);
        expect([node.get('a', 'x'), node.get('a', 'y')], what).to.deep.equal([before, undefined]);
      }
    }
    for (const node of [b, c]) {
      exchange(a, node);
      expect([node.get('a', 'x'), node.get('a', 'y')]).to.deep.equal(['2', '1']);
    }
  });

  it('of an owner whose key is not known waits until it is', () => {
    const a = stateOf('a', 1);
    let isKnown = false;
    const offered: string[] = [];
    const named = namedSigner('b');
    const b = new VersionedState('b', 1, {
      sign: (text) => named.sign(text),
      verify(owner, text, signature, entries) {
        offered.push(...entries.keys());
        return isKnown ? named.verify(owner, text, signature, entries) : 'unknownKey';
      },
    });
    a.set('statement', 'of its key');
    expect(b.merge(a.missing(b.versions))).to.deep.equal([{ owner: 'a', reason: 'stateKey' }]);
    expect(b.get('a', 'statement')).to.equal(undefined);
    expect(offered).to.deep.equal(['statement']);
    isKnown = true;
    exchange(a, b);
    expect(b.get('a', 'statement')).to.equal('of its key');
  });

  it('of more keys than a node has is refused', () => {
    const a = stateOf('a', 1);
    for (let at = 0; at < 65; at += 1) a.set(`key ${at}`, '1');
    const b = stateOf('b', 1);
    expect(b.merge(a.missing(b.versions))).to.deep.equal([{ owner: 'a', reason: 'stateSize' }]);
  });
});
