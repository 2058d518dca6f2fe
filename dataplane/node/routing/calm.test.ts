import { expect } from 'chai';
import { Calm } from './calm.ts';
import type { ReplicaFacts } from './calm.ts';

const member = { id: 'a', name: 'one', roles: ['data'], status: 'alive', isSelf: true } as const;
const record = { id: 'a', name: 'one', roles: ['data'] } as const;
const facts = (more: Partial<ReplicaFacts> = {}): ReplicaFacts => ({
  state,
  members: [{ ...member, isDraining: false }],
  isRemoved: () => false,
  turns: 7,
  ...more,
});
const state = { members: { a: { ...record, roles: [...record.roles] } } };

const lookedAt = (first: ReplicaFacts): Calm => {
  const calm = new Calm();
  expect(calm.isKept(first, 1_000)).to.equal(false);
  return calm;
};

describe('the look at all replicas', () => {
  it('is left out while nothing has happened', () => {
    const calm = lookedAt(facts());
    expect(calm.isKept(facts(), 1_500)).to.equal(true);
    expect(calm.isKept(facts(), 2_000)).to.equal(true);
  });

  const changes: readonly (readonly [string, Partial<ReplicaFacts>])[] = [
    ['a group had a turn', { turns: 8 }],
    ['the metadata has changed', { state: { ...state } }],
    [
      'a member is suspected',
      { members: [{ ...member, isDraining: false, status: 'suspect' as const }] },
    ],
    ['a member drains', { members: [{ ...member, isDraining: true }] }],
    ['another member is seen', { members: [] }],
    ['a member is removed', { isRemoved: (id) => id === 'a' }],
  ];
  for (const [what, change] of changes)
    it(`is due when ${what}, once`, () => {
      const calm = lookedAt(facts());
      const changed = facts(change);
      expect(calm.isKept(changed, 1_500)).to.equal(false);
      expect(calm.isKept(changed, 2_000)).to.equal(true);
    });

  it('is due after a while, whatever has happened', () => {
    const calm = lookedAt(facts());
    expect(calm.isKept(facts(), 30_999)).to.equal(true);
    expect(calm.isKept(facts(), 31_000)).to.equal(false);
    expect(calm.isKept(facts(), 31_500)).to.equal(true);
  });

  it('is due again when it has failed', () => {
    const calm = lookedAt(facts());
    calm.end();
    expect(calm.isKept(facts(), 1_500)).to.equal(false);
  });
});
