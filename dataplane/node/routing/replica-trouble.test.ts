import { expect } from 'chai';
import { newTable } from '../../metadata/testing/new-table.ts';
import { emptyState } from '../../metadata/state.ts';
import type { MetadataState } from '../../metadata/state.ts';
import { applyMetadata } from '../../metadata/apply.ts';
import type { MetadataCommand } from '../../metadata/command.ts';
import {
  catchUpGraceMs,
  electionGraceMs,
  lagEntriesMax,
  largestLag,
  ReplicaWatch,
} from './replica-trouble.ts';
import type { GroupView, Replicas, Standing } from './replica-trouble.ts';

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

const elsewhere = { node: 'c', isHere: false };

/** A node with a group of the metadata, and the group of the table. */
function replicasWith(
  own: GroupView,
  metadata: GroupView = group({ leader: elsewhere }),
): Replicas {
  const { state, group: number } = stateOf();
  return {
    state,
    metadataReplicas: metadata,
    replicatedGroups: [metadata, own],
    replica: (asked) => (asked === number ? { replicas: own } : undefined),
  };
}

const reachOf = (node: string, away: readonly string[] = []) => ({
  node,
  reaches: (id: string) => !away.includes(id),
});

function standingOf(own: GroupView, node = 'a'): Standing {
  return new ReplicaWatch().look(replicasWith(own), reachOf(node), 0);
}

/** After it has lasted. */
function lasting(replicas: Replicas, ms: number, away: readonly string[] = []): Standing {
  const watch = new ReplicaWatch();
  watch.look(replicas, reachOf('a', away), 1_000);
  return watch.look(replicas, reachOf('a', away), 1_000 + ms);
}

const leaderless = group({ leader: { node: undefined, isHere: false } });
const shortOf = (voters: readonly string[], learners: readonly string[]): GroupView =>
  group({ configuration: { voters, outgoing: [], learners } });

describe('the replicas of a node', () => {
  it('are well when each group has its leader and all its members', () => {
    const well = { state: 'Ok', message: '' };
    expect(standingOf(group())).to.deep.equal(well);
    const led = group({ leader: { node: 'a', isHere: false }, matches: new Map() });
    expect(standingOf(led, 'b')).to.deep.equal(well);
  });

  it('settle while a leader is elected, as of a new table, and are degraded when that lasts', () => {
    const replicas = replicasWith(leaderless);
    const settling = lasting(replicas, electionGraceMs - 1);
    expect(settling).to.deep.equal({
      state: 'Settling',
      message: 'the leader of 1 of 2 groups of replicas is not known yet',
    });
    const lasted = lasting(replicas, electionGraceMs);
    expect(lasted.state).to.equal('Degraded');
    expect(lasted.message).to.contain('1 of 2 groups of replicas have had no leader for more than');
    expect(lasted.message).to.contain('reaches a majority');
  });

  it('settle while tables are created one after the other, and each of them gets its leader', () => {
    const watch = new ReplicaWatch();
    const states = Array.from({ length: 50 }, (_none, at) => {
      const next = group({ leader: { node: undefined, isHere: false } });
      return watch.look(replicasWith(next), reachOf('a'), at * 1_000).state;
    });
    expect(new Set(states)).to.deep.equal(new Set(['Settling']));
  });

  it('are unavailable without a leader of the metadata, and say which nodes to start', () => {
    const lost = lasting(replicasWith(leaderless, { ...leaderless }), electionGraceMs, ['b', 'c']);
    expect(lost).to.deep.equal({
      state: 'Unavailable',
      message:
        '2 of 2 groups of replicas have had no leader for more than 10 s, since this node does not reach a majority of their nodes; start those that it does not reach, or repair the network: node-b, node-c',
    });
    // One of three is no majority.
    const slow = lasting(replicasWith(leaderless, { ...leaderless }), electionGraceMs, ['c']);
    expect(slow.message).to.contain('reaches a majority').and.not.contain('node-c');
  });

  const behind = (lag: number): GroupView =>
    group({
      matches: new Map([
        ['b', 10_000],
        ['c', 10_000 - lag],
      ]),
    });

  it('are behind when they lack more than is usual under load, and degraded when that lasts', () => {
    expect(standingOf(behind(lagEntriesMax)).state).to.equal('Ok');
    const late = behind(lagEntriesMax + 1);
    const message = 'a replica on node node-c catches up with its leader';
    expect(standingOf(late)).to.deep.equal({ state: 'CatchingUp', message });
    const lasted = lasting(replicasWith(late), catchUpGraceMs);
    expect(lasted).to.deep.equal({ state: 'Degraded', message });
  });

  it('tell how many entries the slowest lacks of those that this node leads', () => {
    expect(largestLag('a', replicasWith(behind(17)))).to.equal(17);
    const led = { ...behind(17), leader: { node: 'b', isHere: false } };
    expect(largestLag('a', replicasWith(led))).to.equal(0);
  });

  it('are too few, as their leader reports', () => {
    const short = shortOf(['a', 'b'], ['c']);
    const message = 'table `d.t` has 2 of 3 replicas';
    expect(standingOf(short)).to.deep.equal({ state: 'CatchingUp', message });
    expect(lasting(replicasWith(short), catchUpGraceMs).state).to.equal('Degraded');
    expect(standingOf({ ...short, leader: { node: 'b', isHere: false } }).state).to.equal('Ok');
  });

  it('settle for as long as it takes while one moves and none is missing', () => {
    const matches = new Map([
      ['b', 10_000],
      ['d', 10_000],
    ]);
    const moving = { ...shortOf(['a', 'b', 'd'], ['c']), matches };
    const lasted = lasting(replicasWith(moving), catchUpGraceMs * 10);
    expect(lasted).to.deep.equal({
      state: 'Settling',
      message: 'table `d.t` has 2 of 3 replicas, and moves',
    });
  });
});
