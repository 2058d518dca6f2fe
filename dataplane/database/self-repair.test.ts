import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import { encodeEnvelope, keyspaceKey } from '../table/envelope.ts';
import { StatisticsChange } from '../table/statistics.ts';
import { decodePart, partKind } from '../transfer/snapshot-message.ts';
import { put } from './testing/fixture.ts';
import { nodes, three } from './testing/raft-replicas.ts';
import type { Replicas } from './testing/raft-replicas.ts';

const options = { compareEveryMs: 1_000 };

const storedKeyOf = (cluster: Replicas, node: string, key: string): Uint8Array =>
  keyspaceKey(cluster.shard(node).options.keyspace, encodeUtf8(key));

/** As a bug of what applies entries would: another document, with everything that belongs to it. */
async function diverge(cluster: Replicas, node: string, key: string): Promise<void> {
  const { store, keyspace } = cluster.shard(node).options;
  const storedKey = storedKeyOf(cluster, node, key);
  await cluster.ended(
    store.write((transaction) => {
      const statistics = new StatisticsChange(keyspace);
      const before = transaction.get('data', storedKey);
      if (before !== undefined) statistics.subtract(storedKey, before);
      const body = encodeUtf8(JSON.stringify({ id: key, v: 'wrong' }));
      const value = encodeEnvelope(storedKey, { version: 1, body });
      transaction.put('data', storedKey, value);
      statistics.add(storedKey, value);
      statistics.write(transaction);
    }),
  );
}

/** As a medium does. */
async function flip(cluster: Replicas, node: string, key: string): Promise<void> {
  const { store } = cluster.shard(node).options;
  const storedKey = storedKeyOf(cluster, node, key);
  await cluster.ended(
    store.write((transaction) => {
      const value = transaction.get('data', storedKey) ?? expect.fail('no such row');
      transaction.put('data', storedKey, value.with(20, (value[20] ?? 0) ^ 1));
    }),
  );
}

async function lose(cluster: Replicas, node: string, key: string): Promise<void> {
  const { store } = cluster.shard(node).options;
  const storedKey = storedKeyOf(cluster, node, key);
  await cluster.ended(store.write((transaction) => transaction.remove('data', storedKey)));
}

async function settled(cluster: Replicas): Promise<void> {
  for (const node of cluster.running.keys()) await cluster.ended(cluster.of(node).settled());
}

const rebuilt = (cluster: Replicas, node: string): boolean =>
  cluster.events.some((event) => event.type === 'rebuilt' && event.node === node);

const compared = ({ events }: Replicas): number =>
  events.filter(({ type }) => type === 'compared').length;

/** All replicas have the same, and say so. */
async function equal(cluster: Replicas): Promise<void> {
  const before = compared(cluster);
  await cluster.put('later', 'x');
  await cluster.until(() => compared(cluster) > before, 'the replicas are found equal');
  for (const node of cluster.running.keys()) {
    await cluster.shown(node, 'k', '1');
    await cluster.shown(node, 'later', 'x');
    expect(await cluster.ended(cluster.of(node).scrub())).to.deep.equal([]);
    expect(cluster.of(node).corruption.tables()).to.deep.equal([]);
  }
}

async function filled(): Promise<{
  cluster: Replicas;
  leader: string;
  others: readonly string[];
}> {
  const cluster = await three(options);
  for (const key of ['k', 'l', 'm']) await cluster.put(key, '1');
  for (const node of nodes) await cluster.shown(node, 'm', '1');
  await settled(cluster);
  const leader = await cluster.shardLeader();
  return { cluster, leader, others: nodes.filter((node) => node !== leader) };
}

describe('replicas of a shard', () => {
  it('are compared from time to time while they change, and not when they rest', async () => {
    const { cluster } = await filled();
    await cluster.until(() => compared(cluster) === 1, 'they are compared');
    const { nextIndex } = cluster.shard('a').replicas;
    const until = cluster.clock.now() + 6_000;
    await cluster.until(() => cluster.clock.now() > until, 'time has passed');
    expect(cluster.shard('a').replicas.nextIndex).to.equal(nextIndex);
    await equal(cluster);
    expect(cluster.events.map(({ type }) => type)).to.deep.equal(['compared', 'compared']);
  });

  it('are rebuilt from the leader where they differ from the majority, while the others serve', async () => {
    const { cluster, others } = await filled();
    const [wrong = ''] = others;
    await diverge(cluster, wrong, 'k');
    const seen = new Set<string | undefined>();
    cluster.onPart = (part) => {
      if (decodePart(part)?.kind === partKind.rows) seen.add(cluster.outdatedOr(wrong, 'k'));
      return part;
    };
    await cluster.put('n', '1');
    await cluster.until(() => rebuilt(cluster, wrong), `${wrong} is rebuilt`);
    expect([...seen].join()).to.contain('The primary replica of the shard is');
    expect([...seen].join()).not.to.contain('wrong');
    await equal(cluster);
    expect(cluster.of(wrong).metrics().replicas).to.include({
      differed: 1,
      rebuilt: 1,
    });
    expect(cluster.of(wrong).metrics().replicas.undecided).to.equal(0);
  });

  it('take writes while one of them is rebuilt, which gets those, too', async () => {
    const { cluster, leader, others } = await filled();
    const [wrong = ''] = others;
    for (let at = 0; at < 60; at += 1) await cluster.put(`r${at}`, 'v'.repeat(20_000));
    await settled(cluster);
    await diverge(cluster, wrong, 'k');
    let count = 0;
    const writing: Promise<unknown>[] = [];
    cluster.onPart = (part) => {
      if (decodePart(part)?.kind === partKind.rows && count < 20)
        writing.push(put(cluster.shard(leader), `w${(count += 1)}`, '1'));
      return part;
    };
    await cluster.until(() => rebuilt(cluster, wrong), `${wrong} is rebuilt`);
    expect(count).to.be.greaterThan(1);
    await cluster.ended(Promise.all(writing));
    await equal(cluster);
    for (let at = 1; at <= count; at += 1) await cluster.shown(wrong, `w${at}`, '1');
  });

  it('follow another leader when the one that they have differs, and it is rebuilt', async () => {
    const { cluster, leader } = await filled();
    await diverge(cluster, leader, 'k');
    await cluster.put('n', '1');
    await cluster.until(() => rebuilt(cluster, leader), `${leader} is rebuilt`);
    expect(cluster.events.filter(({ type }) => type === 'rebuilt')).to.have.length(1);
    expect(await cluster.shardLeader()).to.not.equal(leader);
    await equal(cluster);
  });

  it('raise an alarm and change nothing when no majority agrees', async () => {
    const { cluster, leader, others } = await filled();
    const [one = '', two = ''] = others;
    await diverge(cluster, one, 'k');
    await diverge(cluster, two, 'l');
    await cluster.put('n', '1');
    const isSaid = (): boolean => cluster.events.some(({ type }) => type === 'undecided');
    await cluster.until(isSaid, 'somebody says that they differ');
    expect(cluster.of(leader).undecided).to.deep.equal(['d.t']);
    expect(cluster.of(leader).metrics().replicas.undecided).to.equal(1);
    expect(cluster.events.filter(({ type }) => type === 'differs')).to.deep.equal([]);
    for (const node of nodes) await cluster.shown(node, 'm', '1');
  });

  it('are rebuilt after a restart, when the process ended before', async () => {
    const { cluster, others } = await filled();
    const [wrong = ''] = others;
    await diverge(cluster, wrong, 'k');
    cluster.onPart = () => {
      throw new Error('not now');
    };
    await cluster.put('n', '1');
    const isKnown = (): boolean => cluster.of(wrong).corruption.tables().length > 0;
    await cluster.until(isKnown, 'it knows');
    await cluster.ended(cluster.of(wrong).checkpoint());
    await cluster.kill(wrong, 'visible');
    cluster.onPart = (part) => part;
    await cluster.open(wrong, wrong === 'a' ? ['a'] : []);
    await cluster.until(() => rebuilt(cluster, wrong), `${wrong} is rebuilt`);
    await equal(cluster);
  });
});

describe('a replica with a damaged store', () => {
  it('is rebuilt when a read meets a row with a wrong checksum', async () => {
    const { cluster, others } = await filled();
    const [wrong = ''] = others;
    await flip(cluster, wrong, 'k');
    expect(cluster.outdatedOr(wrong, 'k')).to.contain('is damaged');
    await cluster.until(() => rebuilt(cluster, wrong), `${wrong} is rebuilt`);
    await equal(cluster);
  });

  it('is rebuilt when a scrub finds a row with a wrong checksum', async () => {
    const { cluster, others } = await filled();
    const [, wrong = ''] = others;
    await flip(cluster, wrong, 'l');
    expect(await cluster.ended(cluster.of(wrong).scrub())).to.have.length(1);
    await cluster.until(() => rebuilt(cluster, wrong), `${wrong} is rebuilt`);
    await equal(cluster);
  });

  it('gives its leadership away first', async () => {
    const { cluster, leader } = await filled();
    await flip(cluster, leader, 'k');
    expect(cluster.outdatedOr(leader, 'k')).to.contain('is damaged');
    await cluster.until(() => rebuilt(cluster, leader), `${leader} is rebuilt`);
    await equal(cluster);
  });

  it('is rebuilt when a scrub finds that a row is lost, and answers nothing before', async () => {
    const { cluster, leader } = await filled();
    await lose(cluster, leader, 'k');
    await cluster.ended(cluster.of(leader).scrub());
    expect(cluster.outdatedOr(leader, 'm')).to.contain('The primary replica of the shard is');
    await cluster.until(() => rebuilt(cluster, leader), `${leader} is rebuilt`);
    await equal(cluster);
  });

  it('is served row by row when every replica has a damaged one', async () => {
    const { cluster } = await filled();
    const keys = ['k', 'l', 'm'];
    for (const [at, node] of nodes.entries()) {
      await flip(cluster, node, keys[at] ?? '');
      await cluster.ended(cluster.of(node).scrub());
    }
    const until = cluster.clock.now() + 12_000;
    await cluster.until(() => cluster.clock.now() > until, 'time has passed');
    expect(cluster.events.filter(({ type }) => type === 'rebuilt')).to.deep.equal([]);
    const leader = await cluster.shardLeader();
    for (const [at, key] of keys.entries()) {
      const read = cluster.outdatedOr(leader, key);
      if (nodes[at] === leader) expect(read).to.contain('is damaged');
      else expect(read).to.equal(JSON.stringify({ id: key, v: '1' }));
    }
  });
});
