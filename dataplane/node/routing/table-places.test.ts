import { expect } from 'chai';
import { foundedBy } from '../../metadata/shards.ts';
import { emptyState } from '../../metadata/state.ts';
import type { MetadataState, TableRecord } from '../../metadata/state.ts';
import { newTable } from '../../metadata/testing/new-table.ts';
import type { ClusterView } from './candidates.ts';
import { creationOf, plannedPlaces } from './table-places.ts';

/** Replicas go to members that take them: what a leader of the metadata sees of the nodes decides. */
type Seen = ClusterView['members'][number]['status'] | 'draining' | 'unseen' | 'removed';

const viewOf = (seen: Readonly<Record<string, Seen>>): ClusterView => ({
  members: Object.entries(seen).flatMap(([id, status]) =>
    status === 'unseen' || status === 'removed'
      ? []
      : [
          {
            id,
            status: status === 'draining' ? ('alive' as const) : status,
            isDraining: status === 'draining',
          },
        ],
  ),
  isRemoved: (id) => seen[id] === 'removed',
});

const stateOf = (ids: readonly string[]): MetadataState => ({
  ...emptyState,
  members: Object.fromEntries(ids.map((id) => [id, { id, name: `node ${id}`, roles: ['data'] }])),
});

const wish = { ...newTable('t'), replicas: 1, shards: 4 };

const placedBy = (view: ClusterView, wantedReplicas?: number): readonly (readonly string[])[] => {
  const command = creationOf(stateOf(['a', 'b', 'c']), { ...wish, wantedReplicas }, view);
  if (command.type !== 'createTable' || command.format !== 3) return expect.fail('it is refused');
  return command.replicas ?? [];
};

const refusalOf = (view: ClusterView, wantedReplicas: number): string => {
  const command = creationOf(stateOf(['a', 'b', 'c']), { ...wish, wantedReplicas }, view);
  return command.type === 'refused' ? command.message : expect.fail('it is not refused');
};

const tooMany =
  "Can't put 3 replicas on servers with the tag `default` because there are only 2 servers with the tag `default`. It's impossible to have more replicas of the data than there are servers.";

describe('the places of new tables', () => {
  for (const status of ['dead', 'left', 'quarantined', 'unseen', 'removed'] as const) {
    it(`are not on a server that is ${status}`, () => {
      const view = viewOf({ a: 'alive', b: status, c: 'alive' });
      for (const replicas of placedBy(view)) expect(replicas).to.have.members(['a', 'c']);
      for (const replicas of placedBy(view, 1)) expect(replicas).to.not.include('b');
      const shown = status === 'unseen' ? 'not connected' : status;
      expect(refusalOf(view, 3)).to.equal(`${tooMany} Not counted: \`node b\` (${shown}).`);
    });
  }

  for (const status of ['draining', 'suspect'] as const) {
    it(`are on a server that is ${status} where there is no other one, and it leads none`, () => {
      const view = viewOf({ a: status, b: 'alive', c: 'alive' });
      for (const replicas of placedBy(view, 2)) expect(replicas).to.have.members(['b', 'c']);
      for (const replicas of placedBy(view, 3)) {
        expect(replicas).to.have.members(['a', 'b', 'c']);
        expect(replicas[0]).to.not.equal('a');
      }
    });
  }

  it('have the servers that there are, and no more', () => {
    const view = viewOf({ a: 'alive', b: 'alive', c: 'alive' });
    expect(refusalOf(view, 5)).to.equal(
      "Can't put 5 replicas on servers with the tag `default` because there are only 3 servers with the tag `default`. It's impossible to have more replicas of the data than there are servers.",
    );
  });
});

describe('the places that a table gets', () => {
  const table: TableRecord = {
    ...newTable('t'),
    keyspace: 1,
    indexes: [],
    shards: 2,
    placement: {
      epoch: 1,
      shards: [['a', 'b'] as const, ['b', 'a'] as const].map((founders, at) => ({
        group: 10 + at,
        keyspace: 1 + at,
        slots: [[at * 2_048, (at + 1) * 2_048]],
        replicas: foundedBy(founders),
      })),
    },
  };
  const state: MetadataState = { ...stateOf(['a', 'b', 'c']), tables: { t: table } };
  const view = viewOf({ a: 'alive', b: 'dead', c: 'alive' });

  const placesBy = (change: Parameters<typeof plannedPlaces>[2], seen = view) => {
    const plan = plannedPlaces(state, table, change, seen);
    return plan.type === 'refused' ? plan.message : plan.wanted;
  };

  it('leave a server that is dead', () => {
    const places = placesBy({ replicas: 2 });
    if (typeof places === 'string') expect.fail(places);
    for (const replicas of places) expect(replicas).to.have.members(['a', 'c']);
    expect(new Set(places.map(([first]) => first))).to.deep.equal(new Set(['a', 'c']));
    expect(placesBy({ replicas: 3 })).to.equal(`${tooMany} Not counted: \`node b\` (dead).`);
  });

  it('give a server that is dead no more to lead', () => {
    const places = placesBy({ isBalanced: true });
    expect(places).to.deep.equal([
      ['a', 'b'],
      ['b', 'a'],
    ]);
    const others = viewOf({ a: 'draining', b: 'alive', c: 'alive' });
    expect(placesBy({ isBalanced: true }, others)).to.deep.equal(places);
  });

  it('may name a dead server where it has a replica, and nowhere else', () => {
    const other = viewOf({ a: 'alive', b: 'alive', c: 'dead' });
    const kept = [['b'], ['a', 'b']];
    expect(placesBy({ places: kept }, view)).to.deep.equal(kept);
    expect(placesBy({ places: [['a', 'c'], ['b']] }, other)).to.equal(
      "Can't put new replicas on server `node c` because it is dead.",
    );
  });
});
