import { expect } from 'chai';
import r from 'rethinkdb';
import { Traffic } from '../integration/testing/traffic.ts';
import { until } from './cluster-under-test.ts';
import { NetworkedNodes, password } from './networked-nodes.ts';
import type { NetworkedNode } from './networked-nodes.ts';

/**
 * What five real nodes say of each other while one is killed or paused, and while the network between them
 * fails. Waits are bounds on what hangs: a suspicion lasts up to 24 s, and a busy machine is slower.
 */
const seenMs = 150_000;
const names = ['node1', 'node2', 'node3', 'node4', 'node5'];

describe('five nodes with networks of their own', function () {
  this.timeout(480_000);
  let nodes: NetworkedNodes;

  before(async () => {
    nodes = await NetworkedNodes.form(names.length);
  });
  after(() => nodes.close());

  beforeEach(async () => {
    await everybodyIsAlive();
    for (const node of nodes.all) node.mark();
  });
  afterEach(() => nodes.network.heal());

  const some = (...wanted: readonly number[]): readonly NetworkedNode[] =>
    nodes.all.filter((_, at) => wanted.includes(at + 1));
  const one = (number: number): NetworkedNode => nodes.all[number - 1] as NetworkedNode;
  const hostsOf = (all: readonly NetworkedNode[]) => all.map(({ host }) => host);
  const namesOf = (all: readonly NetworkedNode[]): readonly string[] => all.map(({ name }) => name);

  /** As each observer sees all five, by their numbers. */
  async function see(observers: readonly NetworkedNode[], wanted: string): Promise<void> {
    for (const observer of observers) {
      let seen = '';
      const isSeen = async (): Promise<boolean> => {
        const members = await observer.members();
        seen = names.map((name) => members.get(name)?.status ?? 'unknown').join(' ');
        return seen === wanted;
      };
      await until(`${observer.name} to see ${wanted}`, isSeen, seenMs).catch((error: Error) => {
        throw new Error(`${error.message}; it sees ${seen}`, { cause: error });
      });
    }
  }

  const everybodyIsAlive = (): Promise<void> => see(nodes.all, names.map(() => 'alive').join(' '));

  /** What was said about nodes that others could reach throughout. */
  function nobodyElseDied(observers: readonly NetworkedNode[], dead: readonly string[]): void {
    for (const observer of observers) {
      expect(observer.deaths(), observer.name).to.deep.equal(dead);
    }
  }

  /** Each of them has exchanged all that it knows with some other. */
  async function anotherExchange(observers: readonly NetworkedNode[]): Promise<void> {
    const metric = 'photondb_gossip_messages_total{type="summary"}';
    await Promise.all(observers.map((observer) => rises(observer, metric, 1)));
  }

  async function rises(node: NetworkedNode, metric: string, by: number): Promise<void> {
    const before = await node.metric(metric);
    const hasRisen = async (): Promise<boolean> => (await node.metric(metric)) >= before + by;
    await until(`${metric} of ${node.name} to rise by ${by}`, hasRisen, seenMs);
  }

  /** Whoever is cut off suspects itself first, and holds the others for dead one after the other. */
  async function holdSomebodyForDead(cutOff: readonly NetworkedNode[]): Promise<void> {
    for (const node of cutOff) {
      await until(`a death by ${node.name}`, () => node.deaths().length > 0, seenMs);
    }
  }

  it('replace gossip keys, certificates and the authority three times under traffic, without a death', async () => {
    const failed = (): Promise<unknown> =>
      Promise.all(nodes.all.map((node) => node.failedRequests()));
    const before = await failed();
    const login = { user: 'admin', password };
    const [data, other] = await Promise.all(
      some(1, 2).map((node) => r.connect({ ...node.driver, ...login })),
    );
    if (data === undefined || other === undefined) throw new Error('two nodes have drivers');
    await r.db('test').tableCreate('traffic').run(data);
    const table = r.db('test').table('traffic');
    const loads = [
      new Traffic((count) => table.insert({ id: String(count) }).run(data)),
      new Traffic((count) => table.get(String(count)).run(other)),
      // Each asks the authority through the session between the nodes.
      new Traffic(() => one(5).administer(one(1), 'POST', 'certificate/renew')),
    ];
    const [keys, authorities] = [new Set<string>(), new Set<string>()];
    for (const number of [1, 3, 5]) {
      const counts = loads.map(({ count }) => count);
      // Any member may rotate the keys.
      const rotated = await one(number).administer(one(1), 'POST', 'gossip-keys/rotate');
      keys.add(String(rotated['keys']));
      for (const node of nodes.all) await node.administer(one(1), 'POST', 'certificate/renew');
      await one(1).administer(one(1), 'POST', 'authority/rotate');
      const isReplaced = async (): Promise<boolean> => {
        const { phase, signing } = await one(1).administer(one(1), 'GET', 'authority');
        if (phase === 'Stable') authorities.add(String(signing));
        return phase === 'Stable';
      };
      await until('the authority to be replaced', isReplaced, seenMs);
      await everybodyIsAlive();
      for (const [at, load] of loads.entries()) {
        const goesOn = async (): Promise<boolean> => load.count > (counts[at] ?? 0);
        await until('the traffic to continue', goesOn, seenMs);
      }
    }
    for (const load of loads) {
      await load.stop();
      expect(load.failures).to.deep.equal([]);
    }
    await data.close();
    await other.close();
    expect([keys.size, authorities.size]).to.deep.equal([3, 3]);
    expect(await failed()).to.deep.equal(before);
    nobodyElseDied(nodes.all, []);
  });

  it('agree that a killed one is dead, until it is back under its identity', async () => {
    const others = some(1, 2, 3, 4);
    const before = (await one(1).members()).get('node5')?.id;
    await one(5).kill();
    await see(others, 'alive alive alive alive dead');
    await anotherExchange(others);
    await see(others, 'alive alive alive alive dead');
    nobodyElseDied(others, ['node5']);
    // Nobody took back what it had said.
    for (const node of others) expect(node.saidOf('node5').at(-1), node.name).to.equal('dead');
    await one(5).start(['--roles', 'coordinator,consensus']);
    await everybodyIsAlive();
    expect((await one(1).members()).get('node5')?.id).to.equal(before);
    nobodyElseDied(others, ['node5']);
    nobodyElseDied(some(5), []);
  });

  it('agree that a paused one is dead; it takes nobody for dead when it continues', async () => {
    const others = some(1, 2, 3, 5);
    const pausedAt = performance.now();
    one(4).signal('SIGSTOP');
    try {
      await see(others, 'alive alive alive dead alive');
      await until('10 s', () => performance.now() - pausedAt > 10_000, seenMs);
    } finally {
      one(4).signal('SIGCONT');
    }
    await everybodyIsAlive();
    nobodyElseDied(others, ['node4']);
    nobodyElseDied(some(4), []);
  });

  it('hold the other side of a partition for dead, and nobody of their own when it heals', async () => {
    const [left, right] = [some(1, 2, 3), some(4, 5)];
    await nodes.network.partition(hostsOf(left), hostsOf(right));
    await see(left, 'alive alive alive dead dead');
    await holdSomebodyForDead(right);
    await nodes.network.heal();
    await everybodyIsAlive();
    await anotherExchange(nodes.all);
    nobodyElseDied(left, namesOf(right));
    for (const node of right) expect(namesOf(left), node.name).to.include.members(node.deaths());
  });

  for (const [about, from, to] of [
    ['nobody hears', [5], [1, 2, 3, 4]],
    ['hears nobody', [1, 2, 3, 4], [5]],
  ] as const) {
    it(`hold one for dead that ${about}, and nobody else`, async () => {
      const others = some(1, 2, 3, 4);
      await nodes.network.cut(hostsOf(some(...from)), hostsOf(some(...to)));
      await see(others, 'alive alive alive alive dead');
      await holdSomebodyForDead(some(5));
      await nodes.network.heal();
      await everybodyIsAlive();
      await anotherExchange(nodes.all);
      nobodyElseDied(others, ['node5']);
    });
  }

  it('hold nobody for dead when two of them cannot reach each other', async () => {
    await nodes.network.partition(hostsOf(some(1)), hostsOf(some(2)));
    const metric = 'photondb_gossip_messages_total{type="pingRequest"}';
    // Each probe that is not answered asks three others.
    await Promise.all(some(1, 2).map((node) => rises(node, metric, 9)));
    await anotherExchange(nodes.all);
    await nodes.network.heal();
    await everybodyIsAlive();
    nobodyElseDied(nodes.all, []);
  });
});
