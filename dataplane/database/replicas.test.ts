import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import type { ApplyStore } from '../kv/store.ts';
import type { MetadataCommand } from '../metadata/command.ts';
import { shardsOf } from '../metadata/shards.ts';
import { newTable } from '../metadata/testing/new-table.ts';
import { entryKind } from '../replication/entry-kind.ts';
import { NotLeaderError, OutcomeUnknownError } from '../replication/errors.ts';
import { IndexScan } from '../shard/index-scan.ts';
import type { ShardReplica } from '../shard/shard-replica.ts';
import type { Database } from './database.ts';
import { ManualCluster } from './testing/manual-cluster.ts';
import {
  indexOf,
  killable,
  metaKeys,
  newWorld,
  open,
  put,
  scan,
  stateOf,
} from './testing/world.ts';
import type { World } from './testing/world.ts';

const nodes = ['a', 'b', 'c'] as const;

/** Three databases of one cluster; `a` has founded it, and leads. */
class Three {
  readonly cluster = new ManualCluster('a');
  readonly worlds = new Map<string, World>();
  readonly databases = new Map<string, Database>();

  async open(node: string, given: { readonly store?: ApplyStore } = {}): Promise<Database> {
    const world = this.worlds.get(node) ?? newWorld();
    this.worlds.set(node, world);
    const replicate = this.cluster.source(node, node === 'a' ? ['a'] : []);
    const database = await open(world, { ...given, replicate, memtableBytesMax: 1_000_000 });
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

async function indexRows(world: Three, node: string): Promise<string[]> {
  const index = world.of(node).index(indexOf(world.of(node)).keyspace) ?? expect.fail();
  const scanned = new IndexScan(world.shard(node), { index, range: {}, order: 'ascending' });
  const rows = await scanned.next({ rows: 100, bytes: 1_000_000 }, AbortSignal.timeout(5_000));
  return (rows ?? []).map(({ indexKey, key }) => `${decodeUtf8(indexKey)}:${decodeUtf8(key)}`);
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

describe('work beside the requests, on three nodes', () => {
  const index = { name: 'v', multi: false, geo: false, definition: 'v' };
  const createIndex: MetadataCommand = { type: 'createIndex', tableId: 't', index };

  it('builds an index on each replica, and calls it ready when the leader has it', async () => {
    const world = await three(...nodes);
    for (const key of ['k', 'l', 'm']) await put(world.shard('a'), key, `of ${key}`);
    await world.cluster.settled();
    await world.change(createIndex);
    for (const node of nodes) {
      const database = world.of(node);
      const { keyspace } = indexOf(database);
      while (!indexOf(database).ready || database.index(keyspace) === undefined) await turn();
      await database.settled();
      expect(await database.scrub()).to.deep.equal([]);
    }
    world.kill('a');
    world.cluster.elect('c');
    await world.cluster.settled();
    await put(world.shard('c'), 'k', 'moved');
    expect(await indexRows(world, 'c')).to.deep.equal(['moved:k', 'of l:l', 'of m:m']);
    await world.of('b').settled();
    expect(await world.of('b').scrub()).to.deep.equal([]);
  });

  it('reads no index that a new leader has not built, though the last one had', async () => {
    const world = await three(...nodes);
    await put(world.shard('a'), 'k', 'x');
    await world.cluster.settled();
    const { store } = world.worlds.get('b') ?? expect.fail();
    world.kill('b');
    await world.change(createIndex);
    while (!indexOf(world.of('a')).ready) await turn();
    const builds = Promise.withResolvers<undefined>();
    const slow = killable(store, () => undefined);
    const isBuild = (): Promise<never> => new Promise(() => builds.resolve(undefined));
    await world.open('b', { store: { ...slow, flushed: isBuild } });
    world.cluster.elect('b');
    await world.cluster.settled();
    await builds.promise;
    const { keyspace, ready } = indexOf(world.of('b'));
    expect(ready).to.equal(true);
    expect(world.of('b').index(keyspace)).to.equal(undefined);
  });

  it('removes what was dropped while a node was down', async () => {
    const world = await three(...nodes);
    await world.change(createIndex);
    for (const key of ['k', 'l', 'm']) await put(world.shard('a'), key, 'x');
    while (!indexOf(world.of('b')).ready) await turn();
    await world.of('b').settled();
    const { store } = world.worlds.get('b') ?? expect.fail();
    const stored = (): number =>
      store.read((view) => [...view.entries('data', {}), ...view.entries('index', {})].length);
    expect(stored()).to.be.greaterThan(3);
    world.kill('b');
    await world.change({ type: 'dropTable', id: 't' });
    while (world.of('a').state.garbage.length > 0) await turn();
    await world.open('b');
    await world.cluster.settled();
    await world.of('b').stop();
    await (await world.open('b')).stop();
    expect(stored()).to.equal(0);
    expect(metaKeys(store)).to.deep.equal(['applied/0', 'metadata']);
  });

  it('expires documents on the leader alone', async () => {
    const world = await three(...nodes);
    await world.change({ type: 'setExpireAt', tableId: 't', field: 'ends' });
    const expiring = (): string[] =>
      nodes.filter((node) => world.of(node).expiringTables().length > 0);
    while (expiring().length === 0) await turn();
    expect(expiring()).to.deep.equal(['a']);
    world.cluster.elect('b');
    await world.cluster.settled();
    expect(expiring()).to.deep.equal(['b']);
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
