import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import type { MetadataCommand } from '../metadata/command.ts';
import { shardsOf } from '../metadata/shards.ts';
import { entryKind } from '../replication/entry-kind.ts';
import { NotLeaderError, OutcomeUnknownError } from '../replication/errors.ts';
import { IndexScan } from '../shard/index-scan.ts';
import type { Datum } from '../datum/datum.ts';
import { editAll } from './testing/edits.ts';
import { nodes, three } from './testing/three-databases.ts';
import type { Three } from './testing/three-databases.ts';
import { indexOf, killable, metaKeys, put, scan } from './testing/fixture.ts';

async function indexRows(fixture: Three, node: string): Promise<string[]> {
  const index = fixture.of(node).index(indexOf(fixture.of(node)).keyspace) ?? expect.fail();
  const scanned = new IndexScan(fixture.shard(node), {
    index,
    range: {},
    order: 'ascending',
  });
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
  let fixture: Three;

  beforeEach(async () => {
    fixture = await three(...nodes);
  });

  it('show what the leader has committed, on each node, and after a restart of each', async () => {
    for (const [key, value] of ['kx', 'ly', 'kz'].map((each) => [each.charAt(0), each.charAt(1)]))
      await put(fixture.shard('a'), key ?? '', value ?? '');
    await put(fixture.shard('a'), 'l', null);
    await fixture.cluster.settled();
    for (const node of nodes) {
      expect(fixture.outdated(node, 'k')).to.equal('{"id":"k","v":"z"}');
      expect(fixture.outdated(node, 'l')).to.equal(undefined);
      expect(fixture.shard(node).count).to.equal(1);
      await fixture.of(node).settled();
      expect(await fixture.of(node).scrub()).to.deep.equal([]);
      await fixture.of(node).stop();
      await fixture.open(node);
      expect(fixture.outdated(node, 'k')).to.equal('{"id":"k","v":"z"}');
    }
  });

  it('evaluate and read on the leader alone', async () => {
    await put(fixture.shard('a'), 'k', 'x');
    await fixture.cluster.settled();
    for (const node of ['b', 'c']) {
      const shard = fixture.shard(node);
      for (const work of [
        put(shard, 'k', 'y'),
        scan(shard),
        Promise.resolve(shard.get(encodeUtf8('k'))),
      ]) {
        const refused = await refusal(work);
        expect(refused).to.be.instanceOf(NotLeaderError);
        expect((refused as NotLeaderError).leader).to.equal('a');
      }
      const change = fixture.of(node).change({ type: 'createDatabase', id: 'e', name: 'e' });
      expect(await refusal(change)).to.be.instanceOf(NotLeaderError);
    }
    expect(await scan(fixture.shard('a'))).to.deep.equal(['{"id":"k","v":"x"}']);
  });

  it('go on with another leader, which has everything that was acknowledged', async () => {
    await put(fixture.shard('a'), 'k', 'x');
    fixture.kill('a');
    fixture.cluster.elect('b');
    await fixture.cluster.settled();
    await put(fixture.shard('b'), 'l', 'y');
    await fixture.change({ type: 'createDatabase', id: 'e', name: 'e' });
    expect(await scan(fixture.shard('b'))).to.have.length(2);
    await fixture.open('a');
    await fixture.cluster.settled();
    expect(fixture.outdated('a', 'l')).to.equal('{"id":"l","v":"y"}');
    expect(fixture.of('a').state).to.deep.equal(fixture.of('b').state);
    expect(await refusal(put(fixture.shard('a'), 'k', 'z'))).to.be.instanceOf(NotLeaderError);
  });

  it('say that an outcome is unknown, and show a write that was committed after all', async () => {
    fixture.cluster.isHeld = true;
    const writes = ['k', 'l'].map((key) => refusal(put(fixture.shard('a'), key, 'x')));
    const soft = await put(fixture.shard('a'), 'm', 'x', 'soft');
    expect(soft[0]?.error).to.equal(undefined);
    const changed = refusal(fixture.of('a').change({ type: 'createDatabase', id: 'e', name: 'e' }));
    while (!fixture.cluster.hasProposals(0)) await turn();
    fixture.cluster.elect('b', 1);
    for (const written of await Promise.all([...writes, changed]))
      expect(written).to.be.instanceOf(OutcomeUnknownError);
    await fixture.cluster.settled();
    fixture.cluster.isHeld = false;
    for (const node of nodes) {
      expect(fixture.outdated(node, 'k')).to.equal('{"id":"k","v":"x"}');
      expect(fixture.outdated(node, 'l')).to.equal(undefined);
      expect(fixture.outdated(node, 'm')).to.equal(undefined);
      expect(fixture.shard(node).count).to.equal(1);
      expect(fixture.of(node).state.databases).to.have.property('e');
    }
    expect(await refusal(fixture.shard('a').sync())).to.be.instanceOf(OutcomeUnknownError);
    await put(fixture.shard('b'), 'k', 'y');
    fixture.cluster.elect('a');
    await fixture.cluster.settled();
    expect(await scan(fixture.shard('a'))).to.deep.equal(['{"id":"k","v":"y"}']);
    const builtOn: unknown[] = [];
    const evaluate = (old: Datum): Datum => {
      builtOn.push(old);
      return { id: 'l', v: 'new' };
    };
    await editAll(fixture.shard('a'), [{ key: encodeUtf8('l'), evaluate }]);
    expect(builtOn).to.deep.equal([null]);
  });

  it('close a table whose entry nobody can apply, on each node, and no other', async () => {
    const { group } = fixture.shard('a').options;
    const bad = {
      index: 2,
      term: 1,
      kind: entryKind.command,
      payload: Uint8Array.of(9, 9),
    };
    (fixture.cluster.entriesOf(group) as unknown[]).push(bad);
    fixture.cluster.commit();
    await fixture.cluster.settled();
    for (const node of nodes) {
      await fixture.of(node).settled();
      expect(
        fixture
          .of(node)
          .corruption.tables()
          .map(({ name }) => name),
      ).to.deep.equal(['d.t']);
      expect(() => fixture.shard(node).getOutdated(encodeUtf8('k'))).to.throw(/cannot be applied/);
    }
    await fixture.change({ type: 'createDatabase', id: 'e', name: 'e' });
    await fixture.of('b').stop();
    await fixture.open('b');
    expect(fixture.of('b').corruption.tables()).to.have.length(1);
  });

  it('take the position of a metadata command that is refused, and stop at one that is unreadable', async () => {
    const again = encodeUtf8(JSON.stringify({ type: 'createDatabase', id: 'x', name: 'd' }));
    const entries = fixture.cluster.entriesOf(0) as unknown[];
    const before = fixture.of('b').state;
    const entry = { term: 1, kind: entryKind.command, payload: again };
    entries.push({ ...entry, index: entries.length + 1 });
    fixture.cluster.commit();
    await fixture.cluster.settled();
    for (const node of nodes) {
      expect(fixture.of(node).state).to.deep.equal(before);
      expect(fixture.of(node).metadataIndex).to.equal(entries.length);
      expect(fixture.of(node).frozen).to.equal(undefined);
    }
    await fixture.change({ type: 'createDatabase', id: 'e', name: 'e' });
    entries.push({
      ...entry,
      index: entries.length + 1,
      payload: encodeUtf8('{"type":"later"}'),
    });
    const behind = encodeUtf8(JSON.stringify({ type: 'createDatabase', id: 'y', name: 'y' }));
    entries.push({ ...entry, index: entries.length + 1, payload: behind });
    fixture.cluster.commit();
    await fixture.cluster.settled();
    for (const node of nodes) {
      expect(fixture.of(node).frozen?.message).to.contain('"later"');
      expect(fixture.of(node).state.databases).to.not.have.property('y');
    }
    await put(fixture.shard('a'), 'k', 'x');
  });
});

describe('work beside the requests, on three nodes', () => {
  const index = { name: 'v', multi: false, geo: false, definition: 'v' };
  const createIndex: MetadataCommand = {
    type: 'createIndex',
    tableId: 't',
    index,
  };

  it('builds an index on each replica, and calls it ready when the leader has it', async () => {
    const fixture = await three(...nodes);
    for (const key of ['k', 'l', 'm']) await put(fixture.shard('a'), key, `of ${key}`);
    await fixture.cluster.settled();
    await fixture.change(createIndex);
    for (const node of nodes) {
      const database = fixture.of(node);
      const { keyspace } = indexOf(database);
      while (!indexOf(database).ready || database.index(keyspace) === undefined) await turn();
      await database.settled();
      expect(await database.scrub()).to.deep.equal([]);
    }
    fixture.kill('a');
    fixture.cluster.elect('c');
    await fixture.cluster.settled();
    await put(fixture.shard('c'), 'k', 'moved');
    expect(await indexRows(fixture, 'c')).to.deep.equal(['moved:k', 'of l:l', 'of m:m']);
    await fixture.of('b').settled();
    expect(await fixture.of('b').scrub()).to.deep.equal([]);
  });

  it('reads no index that a new leader has not built, though the last one had', async () => {
    const fixture = await three(...nodes);
    await put(fixture.shard('a'), 'k', 'x');
    await fixture.cluster.settled();
    const { store } = fixture.fixtures.get('b') ?? expect.fail();
    fixture.kill('b');
    await fixture.change(createIndex);
    while (!indexOf(fixture.of('a')).ready) await turn();
    const builds = Promise.withResolvers<undefined>();
    const slow = killable(store, () => undefined);
    const isBuild = (): Promise<never> => new Promise(() => builds.resolve(undefined));
    await fixture.open('b', { store: { ...slow, flushed: isBuild } });
    fixture.cluster.elect('b');
    await fixture.cluster.settled();
    await builds.promise;
    const { keyspace, ready } = indexOf(fixture.of('b'));
    expect(ready).to.equal(true);
    expect(fixture.of('b').index(keyspace)).to.equal(undefined);
  });

  it('removes what was dropped while a node was down', async () => {
    const fixture = await three(...nodes);
    await fixture.change(createIndex);
    for (const key of ['k', 'l', 'm']) await put(fixture.shard('a'), key, 'x');
    while (!indexOf(fixture.of('b')).ready) await turn();
    await fixture.of('b').settled();
    const { store } = fixture.fixtures.get('b') ?? expect.fail();
    const stored = (): number =>
      store.read((view) => [...view.entries('data', {}), ...view.entries('index', {})].length);
    expect(stored()).to.be.greaterThan(3);
    fixture.kill('b');
    await fixture.change({ type: 'dropTable', id: 't' });
    while (fixture.of('a').state.garbage.length > 0) await turn();
    await fixture.open('b');
    await fixture.cluster.settled();
    await fixture.of('b').stop();
    await (await fixture.open('b')).stop();
    expect(stored()).to.equal(0);
    expect(metaKeys(store)).to.deep.equal(['applied/0', 'metadata']);
  });

  it('expires documents on the leader alone', async () => {
    const fixture = await three(...nodes);
    await fixture.change({ type: 'setExpireAt', tableId: 't', field: 'ends' });
    const expiring = (): string[] =>
      nodes.filter((node) => fixture.of(node).expiringTables().length > 0);
    while (expiring().length === 0) await turn();
    expect(expiring()).to.deep.equal(['a']);
    fixture.cluster.elect('b');
    await fixture.cluster.settled();
    expect(expiring()).to.deep.equal(['b']);
  });
});

describe('what a cluster of several nodes cannot do yet', () => {
  it('is refused: another number of shards, and imports', async () => {
    const fixture = await three(...nodes);
    const resharded = await fixture.of('a').reshard('t', 4);
    expect('type' in resharded && resharded.message).to.contain(
      'cannot change the number of shards',
    );
    const never = new AbortController().signal;
    const nothing = (async function* none(): AsyncGenerator<Uint8Array> {})();
    const imported = fixture
      .of('a')
      .transfers.import(nothing, { id: 'u', refusal: () => undefined }, never);
    expect(String(await refusal(imported))).to.contain('clusters of one node only');
  });
});

describe('a table with replicas on two of three nodes', () => {
  it('is not called dropped by the third, where another number of shards is refused', async () => {
    const fixture = await three('a', 'c');
    const resharded = await fixture.of('b').reshard('t', 4);
    expect('type' in resharded && resharded.message).to.contain(
      'cannot change the number of shards',
    );
  });

  it('has none on the third, which knows of the table', async () => {
    const fixture = await three('a', 'c');
    await put(fixture.shard('a'), 'k', 'x');
    await fixture.cluster.settled();
    expect(fixture.outdated('c', 'k')).to.equal('{"id":"k","v":"x"}');
    const { tables } = fixture.of('b').state;
    expect(fixture.of('b').table('t')).to.equal(undefined);
    const shards = shardsOf(tables['t'] ?? expect.fail());
    expect(fixture.of('b').replica(shards[0]?.group ?? 0)).to.equal(undefined);
    await fixture.of('b').stop();
    await fixture.open('b');
    expect(fixture.of('b').replica(shards[0]?.group ?? 0)).to.equal(undefined);
  });

  it('gets one there when the metadata says so, and gives up one that nobody wants', async () => {
    const fixture = await three('a', 'c');
    await put(fixture.shard('a'), 'k', 'x');
    const { group } = fixture.shard('a').options;
    const place = { format: 3, tableId: 't', group } as const;
    expect(fixture.shard('c').replicas.configuration.voters).to.deep.equal(['a', 'c']);
    await fixture.change({ ...place, type: 'placeShard', wanted: ['a', 'b'] });
    // It votes for nobody until the log says who the members are.
    expect(fixture.shard('b').replicas.configuration.voters).to.deep.equal([]);
    expect(fixture.outdated('b', 'k')).to.equal('{"id":"k","v":"x"}');
    await fixture.change({
      ...place,
      type: 'shardMembers',
      epoch: 1_000,
      voters: ['a', 'b'],
      learners: [],
    });
    expect(fixture.of('c').replica(group)).to.equal(undefined);
    await put(fixture.shard('a'), 'l', 'x');
    await fixture.cluster.settled();
    expect(fixture.outdated('b', 'l')).to.equal('{"id":"l","v":"x"}');
  });

  it('removes at once what a replica has left, and begins with nothing when there is one again', async () => {
    const fixture = await three('a', 'c');
    await put(fixture.shard('a'), 'k', 'x');
    await fixture.cluster.settled();
    await fixture.of('c').settled();
    const { group } = fixture.shard('c').options;
    const place = { format: 3, tableId: 't', group } as const;
    await fixture.change({ ...place, type: 'placeShard', wanted: ['a', 'b'] });
    await fixture.change({
      ...place,
      type: 'shardMembers',
      epoch: 1_000,
      voters: ['a', 'b'],
      learners: [],
    });
    const { store } = fixture.fixtures.get('c') ?? expect.fail();
    const rows = (): number => store.read((view) => [...view.entries('data', {})].length);
    while (metaKeys(store).includes(`applied/${group}`)) await fixture.cluster.settled();
    expect(rows()).to.equal(0);
    await fixture.change({ ...place, type: 'placeShard', wanted: ['a', 'b', 'c'] });
    // A founder that was away is none any more: it knows nothing of the group.
    expect(fixture.shard('c').replicas.configuration.voters).to.deep.equal([]);
    await put(fixture.shard('a'), 'l', 'x');
    await fixture.cluster.settled();
    expect(fixture.outdated('c', 'k')).to.equal('{"id":"k","v":"x"}');
    expect(fixture.outdated('c', 'l')).to.equal('{"id":"l","v":"x"}');
  });
});
