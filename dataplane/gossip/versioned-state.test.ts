import { expect } from 'chai';
import { VersionedState } from './versioned-state.ts';

/** `to` learns what it lacks of `from`. */
const exchange = (from: VersionedState, to: VersionedState): void =>
  to.merge(from.missing(to.versions));

describe('versioned state (Scuttlebutt)', () => {
  it('travels as what the other side lacks, also through others', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((id) => new VersionedState(id, 1)) as [
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
    const a = new VersionedState('a', 2);
    const b = new VersionedState('b', 1);
    a.set('x', '1');
    const early = a.missing(b.versions);
    a.set('x', '2');
    exchange(a, b);
    b.merge(early);
    expect(b.get('a', 'x')).to.equal('2');
    a.merge([
      {
        id: 'a',
        generation: 9,
        from: 0,
        version: 9,
        entries: [{ key: 'x', value: 'forged', version: 9 }],
      },
    ]);
    expect(a.get('a', 'x')).to.equal('2');
  });

  it('of a new generation replaces all of the old one', () => {
    const before = new VersionedState('a', 1);
    before.set('old', 'yes');
    before.set('old', 'still');
    const b = new VersionedState('b', 1);
    exchange(before, b);
    const after = new VersionedState('a', 2);
    after.set('new', 'yes');
    exchange(after, b);
    expect([b.get('a', 'old'), b.get('a', 'new')]).to.deep.equal([undefined, 'yes']);
    b.merge(before.missing(new Map()));
    expect([b.get('a', 'old'), b.get('a', 'new')]).to.deep.equal([undefined, 'yes']);
  });

  it('with a gap is not taken: who has forgotten the beginning asks again', () => {
    const a = new VersionedState('a', 1);
    const b = new VersionedState('b', 1);
    a.set('x', '1');
    exchange(a, b);
    a.set('y', '1');
    const late = a.missing(b.versions);
    const restarted = new VersionedState('b', 2);
    restarted.merge(late);
    expect(restarted.versions.has('a')).to.equal(false);
    exchange(a, restarted);
    expect([restarted.get('a', 'x'), restarted.get('a', 'y')]).to.deep.equal(['1', '1']);
  });
});
