import { expect } from 'chai';
import { knownFrom, orderTime, removalOf, wishOf } from './node-orders.ts';
import type { Known, KnownMember } from './node-orders.ts';

const lost = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const next = '11111111-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const names = ['orders-main-0-0', 'orders-main-0-1'];
const [name = '', other = ''] = names;

const member = (id: string, of: string, status = 'alive'): KnownMember => ({
  id,
  name: of,
  status,
});
const known = (...members: readonly KnownMember[]): Known => ({ orders: [], members });

describe('what the annotations of a PhotonNode ask for', () => {
  it('is nothing without an order, whatever the reason', () => {
    expect(wishOf(name)).to.equal(undefined);
    expect(wishOf(name, { 'photondb.io/order-reason': 'why' })).to.equal(undefined);
  });

  it('is a quarantine or a release, with a reason of bounded length', () => {
    for (const order of ['quarantine', 'release'] as const) {
      expect(wishOf(name, { 'photondb.io/order': order })).to.deep.equal({
        type: 'order',
        order,
        reason: 'no reason was given',
      });
    }
    const annotations = {
      'photondb.io/order': 'release',
      'photondb.io/order-reason': ` ${'x'.repeat(300)}`,
    };
    expect(wishOf(name, annotations)).to.include({ reason: 'x'.repeat(256) });
  });

  const refused: readonly (readonly [value: string, words: RegExp])[] = [
    ['', /none of "quarantine" and "release"/],
    ['Quarantine', /none of "quarantine" and "release"/],
    ['remove', /photondb\.io\/accept-data-loss/],
    ['x'.repeat(100_000), /none of/],
  ];
  for (const [value, words] of refused) {
    it(`is refused with a sentence: "${value.slice(0, 10)}"`, () => {
      const wish = wishOf(name, { 'photondb.io/order': value });
      expect(wish?.type).to.equal('refused');
      if (wish?.type !== 'refused') return;
      expect(wish.message).to.match(words).and.contain(name);
      // Events have 1,024 characters at most.
      expect(wish.message.length).to.be.below(1_000);
    });
  }
});

describe('the removal of a node whose data was given up', () => {
  const cases: readonly (readonly [about: string, known: Known, type: string])[] = [
    ['waits for members', known(), 'wait'],
    ['waits while the node answers', known(member(lost, name)), 'wait'],
    ['waits while the node may answer', known(member(lost, name, 'suspect')), 'wait'],
    ['waits while it is quarantined', known(member(lost, name, 'quarantined')), 'wait'],
    ['waits for the successor', known(member(lost, name, 'dead'), member(next, other)), 'wait'],
    [
      'waits for a successor that answers',
      known(member(lost, name, 'dead'), member(next, name, 'dead')),
      'wait',
    ],
    ['is ordered', known(member(lost, name, 'dead'), member(next, name)), 'remove'],
    [
      'is ordered for one that left',
      known(member(lost, name, 'left'), member(next, name)),
      'remove',
    ],
    ['waits for all where nobody remembers the node', known(member(next, name)), 'wait'],
    [
      'is ordered where all others are there',
      known(member(next, name), member('x', other)),
      'remove',
    ],
  ];
  for (const [about, all, type] of cases) {
    it(about, () => expect(removalOf(lost, names, all).type).to.equal(type));
  }

  it('says which node has taken its place', () => {
    const removal = removalOf(lost, names, known(member(lost, name, 'dead'), member(next, name)));
    expect(removal).to.deep.equal({
      type: 'remove',
      reason: `it lost its data, and node ${name} has begun again as ${next}`,
    });
  });

  it('is done when members know it, and for what is no identity', () => {
    const orders = [{ type: 'remove', nodeId: lost, at: 1 }] as const;
    expect(removalOf(lost, names, { ...known(member(next, name)), orders }).type).to.equal('done');
    expect(removalOf('a typing error', names, known(member(next, name))).type).to.equal('done');
  });
});

describe('what a member answers', () => {
  it('is taken as far as it can be read', () => {
    const order = { type: 'release', nodeId: lost, at: 7 };
    const orders = [order, { ...order, type: 'dance' }, { ...order, at: 'x' }, undefined, 1];
    const members = [{ ...member(lost, name), version: '1' }, { id: lost }, 'x'];
    expect(knownFrom({ orders }, { members })).to.deep.equal({
      orders: [order],
      members: [member(lost, name)],
    });
    for (const bad of [undefined, 1, 'x', [], { orders: 1, members: {} }]) {
      expect(knownFrom(bad, bad)).to.deep.equal({ orders: [], members: [] });
    }
  });

  it('decides the time of the next order: it is the later one, although clocks differ', () => {
    const orders = [
      { type: 'quarantine', nodeId: lost, at: 50 },
      { type: 'quarantine', nodeId: next, at: 90 },
    ] as const;
    expect(orderTime(10, lost, { members: [], orders })).to.equal(51);
    expect(orderTime(100, lost, { members: [], orders })).to.equal(100);
  });
});
