import { expect } from 'chai';
import { newTable } from '../../metadata/testing/new-table.ts';
import { emptyState } from '../../metadata/state.ts';
import type { MetadataState } from '../../metadata/state.ts';
import { applyMetadata } from '../../metadata/apply.ts';
import type { MetadataCommand } from '../../metadata/command.ts';
import { lagEntriesMax, replicaTrouble } from './replica-trouble.ts';
import type { GroupView, Replicas } from './replica-trouble.ts';

const member = (id: string): MetadataCommand => ({
  type: 'putMember',
  format: 3,
  member: { id, name: `node-${id}`, roles: ['data'] },
});

/** Three members, and one table whose only shard is to be on all of them. */
function stateOf(): { readonly state: MetadataState; readonly group: number } {
  const replicas = [['a', 'b', 'c']];
  const commands: readonly MetadataCommand[] = [
    ...['a', 'b', 'c'].map(member),
    { type: 'createDatabase', id: 'd', name: 'd' },
    { type: 'createTable', format: 3, table: newTable('t'), replicas },
  ];
  let state: MetadataState = emptyState;
  for (const command of commands) {
    const result = applyMetadata(state, command);
    if (result.type === 'refused') throw new Error(result.message);
    ({ state } = result);
  }
  const [shard] = state.tables['t']?.placement?.shards ?? [];
  return { state, group: shard?.group ?? 0 };
}

const group = (change: Partial<GroupView> = {}): GroupView => ({
  leader: { node: 'a', isHere: true },
  nextIndex: 10_001,
  matches: new Map([
    ['b', 10_000],
    ['c', 10_000],
  ]),
  configuration: { voters: ['a', 'b', 'c'], outgoing: [], learners: [] },
  ...change,
});

function troubleOf(own: GroupView, node = 'a'): string | undefined {
  const { state, group: number } = stateOf();
  const replicas: Replicas = {
    state,
    replicatedGroups: [own],
    replica: (asked) => (asked === number ? { replicas: own } : undefined),
  };
  return replicaTrouble(node, replicas);
}

describe('the replicas of a node', () => {
  it('have no trouble when each group has its leader and all its members', () => {
    expect(troubleOf(group())).to.equal(undefined);
    expect(
      troubleOf(group({ leader: { node: 'a', isHere: false }, matches: new Map() }), 'b'),
    ).to.equal(undefined);
  });

  it('lack a leader', () => {
    expect(troubleOf(group({ leader: { node: undefined, isHere: false } }))).to.equal(
      'the leader of 1 of 1 groups of replicas is not known',
    );
  });

  it('are behind when they lack more than is usual under load', () => {
    const at = (lag: number): GroupView =>
      group({
        matches: new Map([
          ['b', 10_000],
          ['c', 10_000 - lag],
        ]),
      });
    expect(troubleOf(at(lagEntriesMax))).to.equal(undefined);
    expect(troubleOf(at(lagEntriesMax + 1))).to.equal(
      'a replica on node node-c catches up with its leader',
    );
  });

  it('are too few, as their leader reports', () => {
    const configuration = { voters: ['a', 'b'], outgoing: [], learners: ['c'] };
    expect(troubleOf(group({ configuration }))).to.equal('table `d.t` has 2 of 3 replicas');
    const led = group({ configuration, leader: { node: 'b', isHere: false } });
    expect(troubleOf(led)).to.equal(undefined);
  });
});
