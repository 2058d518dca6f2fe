import { expect } from 'chai';
import { readMetadata } from '../apply/catalog.ts';
import { encodeUtf8 } from '../common/bytes.ts';
import type { PhotonError } from '../common/errors.ts';
import { shardsOf } from '../metadata/shards.ts';
import { encodeMessages } from '../raft/message-codec.ts';
import type { RaftGroup } from '../replication/raft-group.ts';
import { RowsBody } from '../transfer/content.ts';
import { encodeEnvelope, keyspaceKey } from '../table/envelope.ts';
import { decodePart, encodePart, partKind } from '../transfer/snapshot-message.ts';
import type { EditBatch } from '../wire/table-edit.ts';
import { batchOf, written } from './testing/edits.ts';
import { put, scan, signal } from './testing/fixture.ts';
import { member, nodes, Replicas, table, three } from './testing/raft-replicas.ts';

describe('databases over Raft groups', () => {
  it('grow from one node to three, and show on each what the leader has committed', async () => {
    const cluster = await three();
    await cluster.put('k', 'x');
    for (const node of nodes) await cluster.shown(node, 'k', 'x');
    expect(await cluster.scanned()).to.deep.equal(['{"id":"k","v":"x"}']);
    for (const node of nodes) expect(cluster.of(node).state).to.deep.equal(cluster.of('a').state);
  });

  for (const left of ['flushed', 'visible'] as const) {
    it(`lose nothing when the leader loses its power, and its store keeps what was ${left}`, async () => {
      const cluster = await three();
      const acknowledged: string[] = [];
      for (let round = 0; round < 6; round += 1) {
        for (let at = 0; at < 5; at += 1) {
          await cluster.put(`k${round}-${at}`, 'x');
          acknowledged.push(`k${round}-${at}`);
        }
        const leader = await cluster.shardLeader();
        if (round % 2 === 0) await cluster.ended(cluster.of(leader).checkpoint());
        await cluster.kill(leader, left);
        expect(await cluster.shardLeader()).to.not.equal(leader);
        await cluster.put(`l${round}`, 'y');
        acknowledged.push(`l${round}`);
        await cluster.open(leader, leader === 'a' ? ['a'] : []);
        await cluster.shown(leader, `l${round}`, 'y');
      }
      const rows = await cluster.scanned();
      expect(rows.map((row) => (JSON.parse(row) as { id: string }).id)).to.have.members(
        acknowledged,
      );
      for (const node of nodes) {
        const database = cluster.of(node);
        await cluster.ended(database.settled());
        expect(await cluster.ended(database.scrub())).to.deep.equal([]);
        expect(cluster.shard(node).count).to.equal(acknowledged.length);
      }
    });
  }

  it('start again all at once, with everything that was acknowledged', async () => {
    const cluster = await three();
    for (const key of ['k', 'l', 'm']) await cluster.put(key, 'x');
    for (const node of nodes) await cluster.kill(node);
    for (const node of nodes) await cluster.open(node, node === 'a' ? ['a'] : []);
    expect(await cluster.scanned()).to.have.length(3);
    await cluster.change({ type: 'createDatabase', id: 'e', name: 'e' });
    await cluster.put('n', 'y');
  });

  it('give a member that was cut off the rows of now, and nothing that it has read before', async () => {
    const cluster = await three({
      segmentBytes: 16_384,
      memoryBytesMax: 1_000,
    });
    for (const key of ['old', 'gone']) await cluster.put(key, 'x');
    await cluster.shown('c', 'gone', 'x');
    await cluster.ended(cluster.of('c').settled());
    // By its key, so that it is kept.
    await cluster.shown('c', 'gone', 'x');
    cluster.isolated.add('c');
    const { running } = cluster;
    const others = new Map([...running].filter(([node]) => node !== 'c'));
    const leads = (node: string): boolean => cluster.shard(node).replicas.refusal === undefined;
    await cluster.until(() => [...others.keys()].some(leads), 'another one leads');
    const leader = [...others.keys()].find(leads) ?? expect.fail();
    await cluster.ended(put(cluster.shard(leader), 'gone', null));
    for (let at = 0; at < 120; at += 1)
      await cluster.ended(put(cluster.shard(leader), `k${at}`, 'v'.repeat(10_000)));
    for (const node of others.keys()) {
      await cluster.ended(cluster.of(node).settled());
      await cluster.ended(cluster.of(node).checkpoint());
    }
    cluster.isolated.clear();
    await cluster.shown('c', 'k119', 'v'.repeat(10_000));
    expect(cluster.carried.length).to.be.greaterThan(1);
    expect(cluster.outdated('c', 'gone')).to.equal(undefined);
    expect(cluster.shard('c').count).to.equal(121);
  });

  it('refuse writes on a leader that was cut off, and say that the outcome of the last is unknown', async () => {
    const cluster = await three();
    await cluster.put('k', 'x');
    const old = await cluster.shardLeader();
    cluster.isolated.add(old);
    const writing = put(cluster.shard(old), 'k', 'lost').then(
      () => 'acknowledged',
      (error: Error) => error.message,
    );
    expect(await cluster.ended(writing)).to.contain('may have been applied, or not');
    const reading = await cluster.ended(
      Promise.resolve(scan(cluster.shard(old))).catch((error: Error) => error.message),
    );
    expect(reading).to.contain('The primary replica of the shard is not available');
    const others = [...nodes].filter((node) => node !== old);
    await cluster.until(
      () => others.some((node) => cluster.shard(node).replicas.refusal === undefined),
      'another node leads',
    );
    await cluster.put('k', 'y');
    cluster.isolated.clear();
    await cluster.shown(old, 'k', 'y');
    expect(await cluster.scanned()).to.deep.equal(['{"id":"k","v":"y"}']);
  });

  it('answer each write that a leader loses in the turn in which another one comes', async () => {
    const cluster = await three();
    await cluster.put('k', 'x');
    const old = await cluster.shardLeader();
    cluster.isolated.add(old);
    const shard = cluster.shard(old);
    const { last, lastTerm } = (shard.replicas as RaftGroup).raft.log;
    const codeOf = (writing: Promise<unknown>): Promise<string> =>
      writing.then(
        () => 'acknowledged',
        (error: PhotonError) => error.code,
      );
    const lost = ['a', 'b', 'c'].map((key) => codeOf(put(shard, key, 'lost')));
    const term = lastTerm + 1;
    // An entry of the next leader takes the place of the first of them.
    const entries = [{ kind: 'empty', term, index: last + 1 }] as const;
    const [from = ''] = nodes.filter((node) => node !== old);
    const where = { previousIndex: last, previousTerm: lastTerm, committed: last };
    const message = { type: 'append', from, to: old, term, entries, ...where } as const;
    const frame = encodeMessages([{ group: shard.options.group, message }]);
    cluster.running.get(old)?.source.groups?.receive(from, frame);
    // Requests of clients come in the same turn.
    const late = ['d', 'e'].map((key) => codeOf(put(shard, key, 'late')));
    expect(await cluster.ended(Promise.all(late))).to.deep.equal(
      late.map(() => 'replication.not_leader'),
    );
    const unknown = lost.map(() => 'replication.outcome_unknown');
    expect(await cluster.ended(Promise.all(lost))).to.deep.equal(unknown);
  });
});

describe("a database that is behind the front of its groups' logs", () => {
  const options = { segmentBytes: 16_384, memoryBytesMax: 1_000 };
  const value = 'v'.repeat(10_000);
  const keys = Array.from({ length: 120 }, (_, at) => `k${String(at).padStart(3, '0')}`);
  const index = { name: 'v', multi: false, geo: false, definition: 'v' };
  let cluster: Replicas;

  /** As a router asks for it: the answer of a deletion that is carried out again is another one. */
  const deletion = (isRepeated: boolean): EditBatch => ({
    ...batchOf([{ key: encodeUtf8('gone'), change: written(null) }]),
    session: { id: 's', sequence: 1, isRepeated },
  });

  /** `c` is down while the logs of the others let go of what it has not. */
  beforeEach(async () => {
    cluster = await three(options);
    await cluster.change({ type: 'createIndex', tableId: 't', index });
    await cluster.put('old', 'x');
    await cluster.put('gone', 'x');
    await cluster.shown('c', 'gone', 'x');
    await cluster.ended(cluster.of('c').checkpoint());
    await cluster.kill('c');
    await cluster.change({ type: 'createDatabase', id: 'e', name: 'e' });
    const leader = await cluster.shardLeader();
    await cluster.ended(cluster.shard(leader).edit(deletion(false), signal));
    for (const key of keys) await cluster.put(key, value);
    for (const node of ['a', 'b']) {
      await cluster.ended(cluster.of(node).settled());
      await cluster.ended(cluster.of(node).checkpoint());
    }
  });

  /** `c` has everything, also what comes now. */
  async function caughtUp(last = 'last'): Promise<void> {
    await cluster.put(last, 'y');
    await cluster.shown('c', last, 'y');
    expect(cluster.outdated('c', 'gone')).to.equal(undefined);
    expect(cluster.outdated('c', 'old')).to.equal('{"id":"old","v":"x"}');
    expect(cluster.of('c').state.databases).to.have.property('e');
    const { keyspace } = cluster.of('c').state.tables['t']?.indexes[0] ?? expect.fail();
    await cluster.until(() => cluster.of('c').index(keyspace) !== undefined, 'it has the index');
    const database = cluster.of('c');
    await cluster.ended(database.settled());
    expect(await cluster.ended(database.scrub())).to.deep.equal([]);
    const leader = await cluster.shardLeader();
    expect(cluster.shard('c').count).to.equal(cluster.shard(leader).count);
    expect(database.corruption.tables()).to.deep.equal([]);
  }

  it('receives rows and metadata, builds the indexes, and can lead', async () => {
    await cluster.open('c');
    await caughtUp();
    const leader = await cluster.shardLeader();
    expect(cluster.shard(leader).replicas.transferLeadership('c')).to.equal(undefined);
    const { refusal: _refusal } = cluster.shard(leader).replicas;
    await cluster.until(() => cluster.shard('c').replicas.refusal === undefined, 'c leads');
    const rows = await cluster.scanned();
    expect(rows).to.have.length(keys.length + 2);
    const [repeated] = await cluster.ended(cluster.shard('c').edit(deletion(true), signal));
    expect(repeated?.result).to.equal('deleted');
    await cluster.kill('c');
    await cluster.open('c');
    await caughtUp('later');
  });

  it('starts again with the members that it had, though the log has let go of who they are', async () => {
    await cluster.kill('a', 'visible');
    await cluster.open('a', ['a']);
    expect(cluster.metadataOf('a').configuration.voters).to.have.members(nodes);
    expect(cluster.shard('a').replicas.configuration.voters).to.have.members(nodes);
    await cluster.change({ type: 'createDatabase', id: 'f', name: 'f' });
    expect(cluster.of('b').state.databases).to.have.property('f');
  });

  it('continues a transfer that was interrupted, and takes no part that was changed on its way', async () => {
    const seen: string[] = [];
    let fails = 0;
    cluster.onPart = (part) => {
      const { kind, session, number } = decodePart(part) ?? expect.fail();
      if (kind === partKind.state) return part;
      seen.push(`${session} ${number}`);
      if (number === 1 && fails < 2) {
        fails += 1;
        if (fails === 1) throw new Error('the connection ended');
        part.fill(7, part.byteLength / 2, part.byteLength / 2 + 1);
      }
      return part;
    };
    await cluster.open('c');
    await caughtUp();
    const rows = seen.filter((each) => seen[0]?.split(' ')[0] === each.split(' ')[0]);
    expect(rows.map((each) => each.split(' ')[1]).slice(0, 5)).to.deep.equal([
      '0',
      '1',
      '1',
      '1',
      '2',
    ]);
  });

  it('has what was written while the rows were on their way', async () => {
    const writing: Promise<unknown>[] = [];
    let [count, ends] = [0, 0];
    cluster.onPart = (part) => {
      const { kind, group } = decodePart(part) ?? expect.fail();
      if (group !== 0 && kind === partKind.end) ends += 1;
      if (kind !== partKind.rows) return part;
      count += 1;
      for (const key of [keys[3], keys[100], `new${count}`])
        writing.push(cluster.put(key ?? '', `at ${count}`));
      return part;
    };
    await cluster.open('c');
    await cluster.until(() => count > 1, 'rows are on their way');
    await cluster.ended(Promise.all(writing));
    await caughtUp();
    expect(ends).to.equal(1);
    const leader = await cluster.shardLeader();
    for (const key of [...keys, 'new1', 'new2'])
      expect(cluster.outdated('c', key)).to.equal(cluster.outdated(leader, key));
  });

  it('begins again, or goes on, wherever its process ends', async () => {
    for (let life = 0; life < 30; life += 1) {
      const { store } = cluster.volumes.get('c') ?? expect.fail();
      const opening = cluster.open('c');
      store.cutAfter(3 + life * 2);
      const isOver = await Promise.race([store.over.then(() => true), opening.then(() => false)]);
      if (!isOver) {
        const found = (): boolean => cluster.outdatedOr('c', keys[50] ?? '') !== undefined;
        let ended = false;
        store.over.then(() => (ended = true)).catch(() => undefined);
        await cluster.until(() => ended || found(), 'it has the rows, or ends');
      }
      await cluster.kill('c', life % 2 === 0 ? 'flushed' : 'visible');
    }
    await cluster.open('c');
    await caughtUp();
  });
});

describe('a database whose store has no metadata yet', () => {
  const options = { segmentBytes: 16_384, memoryBytesMax: 1_000 };
  const value = 'v'.repeat(10_000);
  const lives = Array.from({ length: 12 }, (_, at) => at);

  /** The log of a group lets go of what its members have. */
  async function truncated(cluster: Replicas, members: readonly string[]): Promise<void> {
    for (let at = 0; at < 40; at += 1) await cluster.put(`k${at}`, value);
    for (const node of members) {
      await cluster.ended(cluster.of(node).settled());
      await cluster.ended(cluster.of(node).checkpoint());
    }
  }

  /** Starts a node whose process ends before another write each time, and then for good. */
  async function livesOf(
    cluster: Replicas,
    node: string,
    { started, isWhole }: { readonly started: () => void; readonly isWhole: () => boolean },
  ): Promise<void> {
    for (const writes of lives) {
      await cluster.open(node);
      const { store } = cluster.volumes.get(node) ?? expect.fail();
      let isOver = false;
      store.over.then(() => (isOver = true)).catch(() => undefined);
      store.cutAfter(writes);
      started();
      await cluster.until(() => isOver || isWhole(), 'its process ends');
      await cluster.kill(node, 'visible');
    }
    await cluster.open(node);
    await cluster.until(isWhole, 'it has everything');
  }

  it('starts again wherever its process ends while the metadata comes as a state', async () => {
    const cluster = new Replicas(options);
    await cluster.open('a', ['a']);
    await cluster.change(member('a'));
    await cluster.change({ type: 'createDatabase', id: 'd', name: 'd' }, table('a'));
    for (let at = 0; at < 60; at += 1)
      await cluster.change({ type: 'createDatabase', id: `d${at}`, name: `d${at}` });
    await truncated(cluster, ['a']);
    const kinds = new Set<number | undefined>();
    cluster.onPart = (part) => {
      kinds.add(decodePart(part)?.kind);
      return part;
    };
    const metadata = cluster.metadataOf('a');
    await livesOf(cluster, 'b', {
      started: () => metadata.changeMembers({ voters: ['a'], learners: ['b'] }),
      isWhole: () => cluster.of('b').metadataIndex === metadata.matches.get('a'),
    });
    expect([...kinds]).to.have.members([partKind.state, partKind.end]);
    expect(cluster.of('b').state).to.deep.equal(cluster.of('a').state);
  });

  it('starts again with rows that came as a state before the store had the metadata of the log', async () => {
    const cluster = await three();
    await cluster.put('k', 'x');
    await cluster.shown('c', 'k', 'x');
    await cluster.kill('c');
    await cluster.open('c');
    await cluster.until(() => cluster.find('c') !== undefined, 'it has the replica again');
    const { store } = cluster.volumes.get('c') ?? expect.fail();
    expect(store.read(readMetadata)).to.equal(undefined);
    const record = cluster.of('c').state.tables['t'] ?? expect.fail();
    const { group, keyspace } = shardsOf(record)[0] ?? expect.fail();
    const key = encodeUtf8('k');
    const body = encodeUtf8('{"id":"k"}');
    const rows = new RowsBody(100);
    rows.add(key, encodeEnvelope(keyspaceKey(keyspace, key), { version: 1, body }));
    const part = { group, session: 's', number: 0, kind: partKind.rows, body: rows.finish() };
    await cluster.ended(cluster.of('c').snapshotRequest(encodePart(part)));
    expect(store.read((view) => [...view.entries('chunk', {})])).to.have.length(1);
    await cluster.kill('c', 'visible');
    await cluster.open('c');
    await cluster.put('l', 'y');
    await cluster.shown('c', 'l', 'y');
  });
});
