import { expect } from 'chai';
import type { MemberView } from '../../membership/member-view.ts';
import { NotSentError } from '../../router/errors.ts';
import { ClusterShards } from './cluster-shards.ts';
import { nodes, ThreeNodes } from './testing/three-nodes.ts';
import type { NodeName } from './testing/three-nodes.ts';

/** What each node says of the replicas of a table, while one of them is cut off and the others move it. */
describe('the state of replicas, as a node sees it', () => {
  let cluster: ThreeNodes;
  let views: Map<string, ClusterShards>;

  const viewOf = (node: NodeName): ClusterShards =>
    new ClusterShards({
      clock: cluster.clock,
      signal: new AbortController().signal,
      follower: { placedShards: [] },
      database: () => cluster.of(node),
      // Nobody has noticed yet that links are cut.
      members: () =>
        nodes.map(
          (id) =>
            ({
              id,
              name: id,
              roles: ['data'],
              status: 'alive',
              isSelf: id === node,
              isConnected: id !== node,
            }) as unknown as MemberView,
        ),
      ask: async (other) => {
        await cluster.clock.yield();
        const view = views.get(other);
        if (view === undefined || cluster.isolated.has(node) !== cluster.isolated.has(other))
          throw new NotSentError(`${other} is not reached`);
        return view.ledHere();
      },
    });

  beforeEach(async () => {
    cluster = await ThreeNodes.open();
    views = new Map(nodes.map((node) => [node, viewOf(node)]));
    await cluster.createTable('t', [['a']]);
    await cluster.until(() => cluster.leaderOf('t') === 'a', 'the table has a leader');
    const leads = (): boolean => cluster.metadataOf('b').refusal === undefined;
    while (!leads()) {
      cluster.metadataOf('a').transferLeadership('b');
      await cluster.pass(500);
    }
  });

  const statesAt = async (node: NodeName): Promise<string[]> => {
    const shards = await cluster.ended(views.get(node)?.shards() ?? expect.fail());
    const [shard] = shards.get('t') ?? [];
    return (shard?.replicas ?? []).map(({ server, state }) => `${server.id} ${state}`);
  };

  it('is the same at all nodes', async () => {
    for (const node of nodes) expect(await statesAt(node)).to.deep.equal(['a ready']);
  });

  it('is never ready by places that others may have changed', async () => {
    cluster.isolated.add('a');
    const [shard] = cluster.of('b').state.tables['t']?.placement?.shards ?? [];
    const group = shard?.group ?? expect.fail();
    const wanted = ['a', 'b', 'c'];
    const place = { type: 'placeShard', format: 3, tableId: 't', group, wanted } as const;
    await cluster.ended(cluster.of('b').change(place));
    expect(await statesAt('a')).to.deep.equal(['a transitioning']);

    // As soon as it is reached again, it knows the new places, whatever it knew before.
    cluster.isolated.clear();
    const states = await statesAt('a');
    expect(states[0]).to.match(/^a /);
    expect(states.slice(1)).to.deep.equal(['b transitioning', 'c transitioning']);
  });
});
