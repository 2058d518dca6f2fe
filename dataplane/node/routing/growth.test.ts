import { expect } from 'chai';
import type { Database } from '../../database/database.ts';
import { put, scan, stateOf } from '../../database/testing/fixture.ts';
import { RaftCluster } from '../../database/testing/raft-cluster.ts';
import type { MetadataCommand } from '../../metadata/command.ts';
import { shardsOf } from '../../metadata/shards.ts';
import { newTable } from '../../metadata/testing/new-table.ts';
import type { ShardReplica } from '../../shard/shard-replica.ts';
import { reconcile } from './reconcile-replicas.ts';

/** A node that keeps its data alone becomes the first of several: nothing is lost, and its indexes stay readable. */
const index = { name: 'v', multi: false, geo: false, definition: 'v' };
const keys = Array.from({ length: 50 }, (_, at) => `k${at}`);
const member = (id: string): MetadataCommand => ({
  type: 'putMember',
  format: 3,
  member: { id, name: id, roles: ['data'] },
});

const passesMax = 300;

class Growing extends RaftCluster {
  /** Which members each node sees. */
  seen: readonly string[] = [];
  /** Their names, where these are not their identifiers. */
  readonly names = new Map<string, string>();
  readonly removed = new Set<string>();
  readonly ailing = new Set<string>();

  shardOf(node: string): ShardReplica | undefined {
    const table = this.running.get(node)?.database.state.tables['t'];
    const [shard] = table === undefined ? [] : shardsOf(table);
    return shard === undefined ? undefined : this.of(node).replica(shard.group);
  }

  /** The replica that leads, once one does. */
  async leading(): Promise<ShardReplica> {
    const find = (): ShardReplica | undefined =>
      [...this.running.keys()]
        .flatMap((node) => this.shardOf(node) ?? [])
        .find(({ replicas }) => replicas.refusal === undefined);
    await this.until(() => find() !== undefined, 'a replica leads');
    return find() ?? expect.fail('no replica leads');
  }

  /** Reconciles on every node until the shard has these voters everywhere. */
  async grow(...nodes: readonly string[]): Promise<void> {
    this.seen = nodes;
    const votersOf = (node: string): readonly string[] =>
      this.shardOf(node)?.replicas.configuration.voters ?? [];
    const hasAll = (node: string): boolean =>
      nodes.every((each) => votersOf(node).includes(each)) &&
      votersOf(node).length === nodes.length;
    await this.reconciled(() => nodes.every(hasAll));
  }

  /** Passes on every node until a condition holds. */
  async reconciled(holds: () => boolean): Promise<void> {
    for (let passes = 0; !holds(); passes += 1) {
      if (passes > passesMax) expect.fail('it does not come about');
      for (const [node, { database }] of this.running)
        await this.ended(reconcile(this.#partsOf(node, database)).catch(() => undefined));
      let ticks = 0;
      await this.until(() => (ticks += 1) > 10, 'time passes');
    }
  }

  #partsOf(node: string, database: Database): Parameters<typeof reconcile>[0] {
    return {
      node,
      database,
      members: () =>
        this.seen.map((id) => ({
          id,
          name: this.names.get(id) ?? id,
          roles: ['data'],
          status: 'alive',
          isSelf: id === node,
          isDraining: false,
          ailment: this.ailing.has(id) ? 'the disk of its log is full' : '',
        })),
      isRemoved: (id) => this.removed.has(id),
      change: (command) => {
        const { leader } = database.metadataReplicas ?? {};
        const at = leader?.isHere === true ? node : (leader?.node ?? node);
        return this.of(at).change(command);
      },
    };
  }
}

/** `a` alone, with a table, an index and rows. */
async function alone(cluster: Growing): Promise<Database> {
  const database = await cluster.open('a', [], { isAlone: true });
  stateOf(await cluster.ended(database.change({ type: 'createDatabase', id: 'd', name: 'd' })));
  const table = { type: 'createTable', format: 2, table: newTable('t') } as const;
  stateOf(await cluster.ended(database.change(table)));
  stateOf(await cluster.ended(database.change({ type: 'createIndex', tableId: 't', index })));
  const isReady = (): boolean => database.state.tables['t']?.indexes[0]?.ready === true;
  await cluster.until(isReady, 'the index is ready');
  for (const key of keys) {
    const replica = await cluster.leading();
    await cluster.ended(put(replica, key, 'x'));
  }
  return database;
}

describe('a node that kept its data alone', () => {
  for (const left of ['flushed', 'visible'] as const) {
    it(`is the first of three with everything, when its store keeps what was ${left}`, async () => {
      const cluster = new Growing();
      await alone(cluster);
      await cluster.kill('a', left);
      const database = await cluster.open('a', ['a']);
      const { keyspace } = database.state.tables['t']?.indexes[0] ?? expect.fail();
      // Not built again: what was ready stays so.
      expect(database.index(keyspace)).to.not.equal(undefined);
      await cluster.until(() => database.metadataReplicas?.refusal === undefined, 'it leads');
      stateOf(await cluster.ended(database.change(member('a'))));
      await cluster.ended(put(await cluster.leading(), 'meanwhile', 'y'));
      for (const node of ['b', 'c']) await cluster.open(node);
      await cluster.grow('a', 'b', 'c');
      await cluster.ended(put(await cluster.leading(), 'later', 'z'));
      await cluster.kill('a', 'flushed');
      const rows = await cluster.ended(scan(await cluster.leading()));
      const ids = rows.map((row) => (JSON.parse(row) as { id: string }).id);
      expect(ids).to.have.members([...keys, 'meanwhile', 'later']);
      for (const node of ['b', 'c']) {
        const other = cluster.of(node);
        await cluster.until(() => other.index(keyspace) !== undefined, `${node} has the index`);
        await cluster.ended(other.settled());
        expect(await cluster.ended(other.scrub())).to.deep.equal([]);
      }
    });
  }

  /** One node with its data that has grown to three. */
  async function grown(): Promise<Growing> {
    const cluster = new Growing();
    await alone(cluster);
    await cluster.kill('a', 'flushed');
    const database = await cluster.open('a', ['a']);
    await cluster.until(() => database.metadataReplicas?.refusal === undefined, 'it leads');
    stateOf(await cluster.ended(database.change(member('a'))));
    for (const node of ['b', 'c']) await cluster.open(node);
    await cluster.grow('a', 'b', 'c');
    return cluster;
  }

  /** Grown to three, of which `c` is lost with its data. */
  async function withoutThird(): Promise<Growing> {
    const cluster = await grown();
    await cluster.kill('c', 'flushed');
    return cluster;
  }

  /** The metadata and the shard are on these alone, and they have everything. */
  async function requireOnly(cluster: Growing, ...nodes: readonly string[]): Promise<void> {
    const isSettled = (node: string): boolean => {
      const { state, metadataReplicas } = cluster.of(node);
      const { voters = [], learners = [] } = metadataReplicas?.configuration ?? {};
      const members = Object.keys(state.members ?? {});
      return [members, [...voters, ...learners]].every(
        (each) => each.toSorted().join() === nodes.toSorted().join(),
      );
    };
    await cluster.reconciled(() => nodes.every(isSettled));
    const rows = await cluster.ended(scan(await cluster.leading()));
    expect(rows).to.have.length(keys.length);
  }

  it('gets another node in the place of one that was lost, when that has its name', async () => {
    const cluster = await withoutThird();
    await cluster.open('d');
    cluster.names.set('d', 'c');
    await cluster.grow('a', 'b', 'd');
    await requireOnly(cluster, 'a', 'b', 'd');
    await cluster.kill('a', 'flushed');
    const rows = await cluster.ended(scan(await cluster.leading()));
    expect(rows).to.have.length(keys.length);
  });

  it('continues with two when the third was removed by order, and with three when another comes', async () => {
    const cluster = await withoutThird();
    cluster.removed.add('c');
    await cluster.grow('a', 'b');
    await requireOnly(cluster, 'a', 'b');
    await cluster.open('d');
    await cluster.grow('a', 'b', 'd');
    await requireOnly(cluster, 'a', 'b', 'd');
  });

  it('leads by its first replica, and not while the disk of that node is full', async () => {
    const cluster = await grown();
    const isLedBy = (node: string): boolean =>
      cluster.shardOf(node)?.replicas.refusal === undefined;
    await cluster.reconciled(() => isLedBy('a'));
    cluster.ailing.add('a');
    const { replicas } = cluster.shardOf('a') ?? expect.fail('it has a replica');
    await cluster.reconciled(() => {
      if (isLedBy('a')) replicas.transferLeadership('b');
      return isLedBy('b');
    });
    let passes = 0;
    await cluster.reconciled(() => {
      expect(isLedBy('a')).to.equal(false);
      return (passes += 1) > 10;
    });
    cluster.ailing.delete('a');
    await cluster.reconciled(() => isLedBy('a'));
  });

  it('keeps the replicas of a node that is only away', async () => {
    const cluster = await withoutThird();
    cluster.seen = ['a', 'b'];
    let passes = 0;
    await cluster.reconciled(() => (passes += 1) > 20);
    for (const node of ['a', 'b'])
      expect(cluster.shardOf(node)?.replicas.configuration.voters).to.have.members(['a', 'b', 'c']);
  });

  it('starts again as the first of several when it was stopped before others came', async () => {
    const cluster = new Growing();
    await alone(cluster);
    for (let round = 0; round < 3; round += 1) {
      await cluster.kill('a', 'flushed');
      const database = await cluster.open('a', ['a']);
      await cluster.until(() => database.metadataReplicas?.refusal === undefined, 'it leads');
      if (database.state.members === undefined)
        stateOf(await cluster.ended(database.change(member('a'))));
      await cluster.ended(put(await cluster.leading(), `round ${round}`, 'y'));
    }
    const rows = await cluster.ended(scan(await cluster.leading()));
    expect(rows).to.have.length(keys.length + 3);
  });

  it('is not opened so when its log is not the one of its store', async () => {
    const cluster = new Growing();
    const database = await alone(cluster);
    await cluster.ended(database.settled());
    const other = new Growing();
    const newer = await other.open('a', [], { isAlone: true });
    stateOf(await other.ended(newer.change({ type: 'createDatabase', id: 'd', name: 'd' })));
    await cluster.kill('a', 'visible');
    const { disk } = other.volumes.get('a') ?? expect.fail();
    const { store } = cluster.volumes.get('a') ?? expect.fail();
    cluster.volumes.set('a', { disk, store });
    const refusal = await cluster.open('a', ['a']).then(
      () => 'opened',
      (error: Error) => error.message,
    );
    expect(refusal).to.contain('log');
    expect(refusal).to.not.equal('opened');
  });
});
