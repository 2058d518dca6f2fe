import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import type { MetadataCommand } from '../metadata/command.ts';
import { shardsOf } from '../metadata/shards.ts';
import { newTable } from '../metadata/testing/new-table.ts';
import { entryKind } from '../replication/entry-kind.ts';
import { NotLeaderError, OutcomeUnknownError } from '../replication/errors.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import type { Database } from './database.ts';
import { ManualCluster } from './testing/manual-cluster.ts';
import { newWorld, open, put, scan, stateOf } from './testing/world.ts';
import type { World } from './testing/world.ts';

const nodes = ['a', 'b', 'c'] as const;

/** Three databases of one cluster; `a` has founded it, and leads. */
class Three {
  readonly cluster = new ManualCluster('a');
  readonly worlds = new Map<string, World>();
  readonly databases = new Map<string, Database>();

  async open(node: string): Promise<Database> {
    const world = this.worlds.get(node) ?? newWorld();
    this.worlds.set(node, world);
    const replicate = this.cluster.source(node, node === 'a' ? ['a'] : []);
    const database = await open(world, { replicate, memtableBytesMax: 1_000_000 });
    this.databases.set(node, database);
    return database;
  }

  of(node: string): Database {
    return this.databases.get(node) ?? expect.fail();
  }

  shard(node: string, table = 't'): ShardReplica {
    const record = this.of(node).state.tables[table];
    const group = record === undefined ? undefined : shardsOf(record)[0]?.group;
    return this.of(node).replica(group ?? -1) ?? expect.fail(`no replica on ${node}`);
  }

  async change(...commands: readonly MetadataCommand[]): Promise<void> {
    for (const command of commands) stateOf(await this.of(this.cluster.leader).change(command));
    await this.cluster.settled();
  }

  /** Its process ends in any state. */
  kill(node: string): void {
    this.cluster.kill(node);
    this.databases.delete(node);
  }

  /** What a replica has, whoever leads. */
  outdated(node: string, key: string): string | undefined {
    return this.shard(node).getOutdated(encodeUtf8(key))?.text;
  }
}

const member = (id: string): MetadataCommand => ({
  type: 'putMember',
  format: 3,
  member: { id, name: id, roles: ['data'] },
});

const tableOn = (...replicas: readonly string[]): MetadataCommand => ({
  type: 'createTable',
  format: 3,
  table: { ...newTable('t'), replicas: replicas.length },
  replicas: [replicas],
});

async function three(...replicas: readonly string[]): Promise<Three> {
  const made = new Three();
  for (const node of nodes) await made.open(node);
  await made.cluster.settled();
  const members = nodes.map(member);
  await made.change(...members, { type: 'createDatabase', id: 'd', name: 'd' });
  await made.change(tableOn(...replicas));
  return made;
}

async function refusal(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('three databases of one cluster', () => {
  let world: Three;

  beforeEach(async () => {
    world = await three(...nodes);
  });

  it('show what the leader has committed, on each node, and after a restart of each', async () => {
    for (const [key, value] of ['kx', 'ly', 'kz'].map((each) => [each.charAt(0), each.charAt(1)]))
      await put(world.shard('a'), key ?? '', value ?? '');
    await put(world.shard('a'), 'l', null);
    await world.cluster.settled();
    for (const node of nodes) {
      expect(world.outdated(node, 'k')).to.equal('{"id":"k","v":"z"}');
      expect(world.outdated(node, 'l')).to.equal(undefined);
      expect(world.shard(node).count).to.equal(1);
      await world.of(node).settled();
      expect(await world.of(node).scrub()).to.deep.equal([]);
      await world.of(node).stop();
      await world.open(node);
      expect(world.outdated(node, 'k')).to.equal('{"id":"k","v":"z"}');
    }
  });

  it('evaluate and read on the leader alone', async () => {
    await put(world.shard('a'), 'k', 'x');
    await world.cluster.settled();
    for (const node of ['b', 'c']) {
      const shard = world.shard(node);
      for (const work of [
        put(shard, 'k', 'y'),
        scan(shard),
        Promise.resolve(shard.get(encodeUtf8('k'))),
      ]) {
        const refused = await refusal(work);
        expect(refused).to.be.instanceOf(NotLeaderError);
        expect((refused as NotLeaderError).leader).to.equal('a');
      }
      const change = world.of(node).change({ type: 'createDatabase', id: 'e', name: 'e' });
      expect(await refusal(change)).to.be.instanceOf(NotLeaderError);
    }
    expect(await scan(world.shard('a'))).to.deep.equal(['{"id":"k","v":"x"}']);
  });

  it('go on with another leader, which has everything that was acknowledged', async () => {
    await put(world.shard('a'), 'k', 'x');
    world.kill('a');
    world.cluster.elect('b');
    await world.cluster.settled();
    await put(world.shard('b'), 'l', 'y');
    await world.change({ type: 'createDatabase', id: 'e', name: 'e' });
    expect(await scan(world.shard('b'))).to.have.length(2);
    await world.open('a');
    await world.cluster.settled();
    expect(world.outdated('a', 'l')).to.equal('{"id":"l","v":"y"}');
    expect(world.of('a').state).to.deep.equal(world.of('b').state);
    expect(await refusal(put(world.shard('a'), 'k', 'z'))).to.be.instanceOf(NotLeaderError);
  });

  it('say that an outcome is unknown, and show a write that was committed after all', async () => {
    world.cluster.isHeld = true;
    const writes = ['k', 'l'].map((key) => refusal(put(world.shard('a'), key, 'x')));
    const soft = await put(world.shard('a'), 'm', 'x', 'soft');
    expect(soft[0]?.error).to.equal(undefined);
    const changed = refusal(world.of('a').change({ type: 'createDatabase', id: 'e', name: 'e' }));
    while (!world.cluster.hasProposals(0)) await turn();
    world.cluster.elect('b', 1);
    for (const written of await Promise.all([...writes, changed]))
      expect(written).to.be.instanceOf(OutcomeUnknownError);
    await world.cluster.settled();
    world.cluster.isHeld = false;
    for (const node of nodes) {
      expect(world.outdated(node, 'k')).to.equal('{"id":"k","v":"x"}');
      expect(world.outdated(node, 'l')).to.equal(undefined);
      expect(world.outdated(node, 'm')).to.equal(undefined);
      expect(world.shard(node).count).to.equal(1);
      expect(world.of(node).state.databases).to.have.property('e');
    }
    expect(await refusal(world.shard('a').sync())).to.be.instanceOf(OutcomeUnknownError);
    await put(world.shard('b'), 'k', 'y');
    world.cluster.elect('a');
    await world.cluster.settled();
    expect(await scan(world.shard('a'))).to.deep.equal(['{"id":"k","v":"y"}']);
  });

  it('close a table whose entry nobody can apply, on each node, and no other', async () => {
    const { group } = world.shard('a').options;
    const bad = { index: 2, term: 1, kind: entryKind.command, payload: Uint8Array.of(9, 9) };
    (world.cluster.entriesOf(group) as unknown[]).push(bad);
    world.cluster.commit();
    await world.cluster.settled();
    for (const node of nodes) {
      await world.of(node).settled();
      expect(
        world
          .of(node)
          .corruption.tables()
          .map(({ name }) => name),
      ).to.deep.equal(['d.t']);
      expect(() => world.shard(node).getOutdated(encodeUtf8('k'))).to.throw(/cannot be applied/);
    }
    await world.change({ type: 'createDatabase', id: 'e', name: 'e' });
    await world.of('b').stop();
    await world.open('b');
    expect(world.of('b').corruption.tables()).to.have.length(1);
  });

  it('take the position of a metadata command that is refused, and stop at one that is unreadable', async () => {
    const again = encodeUtf8(JSON.stringify({ type: 'createDatabase', id: 'x', name: 'd' }));
    const entries = world.cluster.entriesOf(0) as unknown[];
    const before = world.of('b').state;
    const entry = { term: 1, kind: entryKind.command, payload: again };
    entries.push({ ...entry, index: entries.length + 1 });
    world.cluster.commit();
    await world.cluster.settled();
    for (const node of nodes) {
      expect(world.of(node).state).to.deep.equal(before);
      expect(world.of(node).metadataIndex).to.equal(entries.length);
      expect(world.of(node).frozen).to.equal(undefined);
    }
    await world.change({ type: 'createDatabase', id: 'e', name: 'e' });
    entries.push({ ...entry, index: entries.length + 1, payload: encodeUtf8('{"type":"later"}') });
    world.cluster.commit();
    await world.cluster.settled();
    for (const node of nodes) expect(world.of(node).frozen?.message).to.contain('"later"');
    await put(world.shard('a'), 'k', 'x');
  });
});

describe('a table with replicas on two of three nodes', () => {
  it('has none on the third, which knows of the table', async () => {
    const world = await three('a', 'c');
    await put(world.shard('a'), 'k', 'x');
    await world.cluster.settled();
    expect(world.outdated('c', 'k')).to.equal('{"id":"k","v":"x"}');
    const { tables } = world.of('b').state;
    expect(world.of('b').table('t')).to.equal(undefined);
    const shards = shardsOf(tables['t'] ?? expect.fail());
    expect(world.of('b').replica(shards[0]?.group ?? 0)).to.equal(undefined);
    await world.of('b').stop();
    await world.open('b');
    expect(world.of('b').replica(shards[0]?.group ?? 0)).to.equal(undefined);
  });

  it('gets one there when the metadata says so, and gives up one that nobody wants', async () => {
    const world = await three('a', 'c');
    await put(world.shard('a'), 'k', 'x');
    const { group } = world.shard('a').options;
    const place = { format: 3, tableId: 't', group } as const;
    await world.change({ ...place, type: 'placeShard', wanted: ['a', 'b'] });
    expect(world.outdated('b', 'k')).to.equal('{"id":"k","v":"x"}');
    await world.change({ ...place, type: 'shardMembers', voters: ['a', 'b'], learners: [] });
    expect(world.of('c').replica(group)).to.equal(undefined);
    await put(world.shard('a'), 'l', 'x');
    await world.cluster.settled();
    expect(world.outdated('b', 'l')).to.equal('{"id":"l","v":"x"}');
  });
});
