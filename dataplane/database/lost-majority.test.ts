import { expect } from 'chai';
import { encodeUtf8 } from '../common/bytes.ts';
import type { MetadataCommand } from '../metadata/command.ts';
import { givenUpSentence } from '../metadata/given-up.ts';
import { replicasOf } from '../metadata/members.ts';
import { shardsOf } from '../metadata/shards.ts';
import { newTable } from '../metadata/testing/new-table.ts';
import { MustRejoinError } from '../replication/errors.ts';
import type { ReplicatedGroup } from '../replication/replicated-group.ts';
import { StoppedMembers } from '../replication/stopped-member.ts';
import type { Standing } from '../replication/stopped-member.ts';
import { put, scan, stateOf } from './testing/fixture.ts';
import { succeed, survey } from './lost-majority.ts';
import type { Survey } from './lost-majority.ts';
import { RaftCluster } from './testing/raft-cluster.ts';

const nodes = ['a', 'b', 'c'] as const;

const member = (id: string): MetadataCommand => ({
  type: 'putMember',
  format: 3,
  member: { id, name: id, roles: ['data'] },
});

const tableOn = (id: string, ...replicas: readonly string[]): MetadataCommand => ({
  type: 'createTable',
  format: 3,
  table: { ...newTable(id), replicas: replicas.length },
  replicas: [replicas],
});

const membersOf = (node: string): StoppedMembers =>
  new StoppedMembers({ node, founders: node === 'a' ? ['a'] : [] });

class Members extends RaftCluster {
  /** The group of a table on a node, or of the metadata. */
  group(node: string, table?: string): ReplicatedGroup | undefined {
    const { database } = this.running.get(node) ?? {};
    if (table === undefined) return database?.metadataReplicas;
    const record = database?.state.tables[table];
    const [shard] = record === undefined ? [] : shardsOf(record);
    return shard === undefined ? undefined : database?.replica(shard.group)?.replicas;
  }

  async leader(table?: string): Promise<string> {
    const leading = (): string | undefined =>
      [...this.running.keys()].find((node) => this.group(node, table)?.refusal === undefined);
    const isThere = (): boolean => {
      const node = leading();
      return node !== undefined && this.group(node, table) !== undefined;
    };
    await this.until(isThere, 'a node leads');
    return leading() ?? expect.fail();
  }

  async change(...commands: readonly MetadataCommand[]): Promise<void> {
    for (const command of commands) {
      const leader = await this.leader();
      stateOf(await this.ended(this.of(leader).change(command)));
    }
  }

  async put(table: string, key: string): Promise<void> {
    const leader = await this.leader(table);
    const [shard] = this.of(leader).table(table)?.shards ?? [];
    await this.ended(put(shard ?? expect.fail(), key, 'x'));
  }

  async ids(table: string): Promise<string[]> {
    const leader = await this.leader(table);
    const [shard] = this.of(leader).table(table)?.shards ?? [];
    const rows = await this.ended(scan(shard ?? expect.fail()));
    return rows.map((row) => (JSON.parse(row) as { id: string }).id);
  }

  async grow(of: string, table: string | undefined, voters: readonly string[]): Promise<void> {
    const group = this.group(of, table) ?? expect.fail();
    const learners = voters.filter((id) => !group.configuration.voters.includes(id));
    group.changeMembers({ voters: group.configuration.voters, learners });
    const hasLearned = (): boolean =>
      learners.every((id) => group.matches.get(id) === group.matches.get(of));
    await this.until(hasLearned, 'the learners have everything');
    await this.until(() => {
      group.changeMembers({ voters, learners: [] });
      return group.configuration.voters.length === voters.length;
    }, 'the change began');
    await this.until(() => group.configuration.outgoing.length === 0, 'all are voters');
  }

  /** What a stopped node has; with `isFinal` it becomes the only voter of all of it. */
  survey(node: string, { isFinal = false } = {}): Promise<Survey> {
    const members = membersOf(node);
    return this.stopped(members, async (database) => {
      const found = survey(database, members);
      if (isFinal) await succeed(found, members);
      return found;
    });
  }
}

const standingOf = (found: Survey, name: string): Standing => {
  const standing = found.groups.find((group) => group.name === name)?.standing;
  if (standing === undefined || standing === 'elsewhere' || standing instanceof MustRejoinError)
    return expect.fail(`no standing of ${name}`);
  return standing;
};

/** Three members, a table on all of them, and one on `a` alone. */
async function three(): Promise<Members> {
  const cluster = new Members();
  await cluster.open('a', ['a']);
  await cluster.change(member('a'));
  for (const node of ['b', 'c']) await cluster.open(node);
  await cluster.grow('a', undefined, nodes);
  const database = { type: 'createDatabase', id: 'd', name: 'd' } as const;
  await cluster.change(member('b'), member('c'), database);
  await cluster.change(tableOn('t', ...nodes), tableOn('alone', 'a'));
  for (const key of ['1', '2', '3']) await cluster.put('t', key);
  await cluster.put('alone', 'lost');
  return cluster;
}

async function everything(cluster: Members, node: string): Promise<void> {
  await cluster.until(() => {
    const record = cluster.of(node).state.tables['t'];
    const [shard] = record === undefined ? [] : shardsOf(record);
    const replica = shard === undefined ? undefined : cluster.of(node).replica(shard.group);
    return ['1', '2', '3'].every((key) => replica?.getOutdated(encodeUtf8(key)) !== undefined);
  }, `${node} has everything`);
}

describe('a cluster that lost its majority', () => {
  it('goes on from one node, keeps its data, and grows to three again', async () => {
    const cluster = await three();
    await everything(cluster, 'b');
    for (const node of nodes) await cluster.kill(node);

    const before = await cluster.survey('b');
    expect(standingOf(before, 'table d.t').configuration.voters).to.have.members(nodes);
    // Nothing has changed by looking.
    expect(await cluster.survey('b')).to.deep.equal(before);
    const found = await cluster.survey('b', { isFinal: true });
    const { term } = standingOf(found, 'the metadata');

    await cluster.open('b');
    await cluster.until(() => cluster.of('b').state.givenUp !== undefined, 'it gave the others up');
    expect(standingOf(found, 'table d.t').configuration.voters).to.have.length(3);
    expect(cluster.group('b', 't')?.configuration.voters).to.deep.equal(['b']);
    expect(await cluster.ids('t')).to.have.members(['1', '2', '3']);
    await cluster.put('t', '4');
    const { state } = cluster.of('b');
    expect(Object.keys(state.members ?? {})).to.deep.equal(['b']);
    expect(state.givenUp).to.have.members(['a', 'c']);
    const [shard] = shardsOf(state.tables['t'] ?? expect.fail());
    expect(replicasOf(state, shard ?? expect.fail())).to.include.keys('founders');
    expect(shard?.replicas?.wanted).to.deep.equal(['b']);
    expect(state.tables['t']?.growsReplicas).to.equal(true);
    // What it never had stays where it was.
    const [other] = shardsOf(state.tables['alone'] ?? expect.fail());
    expect(other?.replicas?.voters).to.deep.equal(['a']);
    expect(term).to.be.above(0);

    for (const node of ['d', 'e']) await cluster.open(node);
    await cluster.change(member('d'), member('e'));
    await cluster.grow('b', undefined, ['b', 'd', 'e']);
    await cluster.change({
      type: 'placeShard',
      format: 3,
      tableId: 't',
      group: shard?.group ?? 0,
      wanted: ['b', 'd', 'e'],
    });
    await cluster.grow('b', 't', ['b', 'd', 'e']);
    await cluster.kill('b');
    await cluster.put('t', '5');
    expect(await cluster.ids('t')).to.have.members(['1', '2', '3', '4', '5']);
  });

  it('takes no lost member back, and is not disturbed by those that return', async () => {
    const cluster = await three();
    await everything(cluster, 'b');
    for (const node of nodes) await cluster.kill(node);
    await cluster.survey('b', { isFinal: true });
    for (const [node, founders] of [
      ['b', []],
      ['a', ['a']],
      ['c', []],
    ] as const) {
      await cluster.open(node, founders);
      // A network that does not know of the recovery.
      if (node === 'b') {
        await cluster.until(() => cluster.of('b').state.givenUp !== undefined, 'gave up');
        await cluster.put('t', '4');
      }
    }
    const refused = await cluster.ended(cluster.of('b').change(member('c')));
    expect(refused).to.deep.equal({
      type: 'refused',
      message: givenUpSentence('c'),
    });
    for (let tick = 0; tick < 200; tick += 1) {
      let isPast = false;
      await cluster.until(() => (isPast = !isPast), 'time passes');
    }
    expect(cluster.group('b', 't')?.configuration.voters).to.deep.equal(['b']);
    expect(cluster.group('b', 't')?.refusal).to.equal(undefined);
  });

  it('shows which survivor has more', async () => {
    const cluster = await three();
    await everything(cluster, 'b');
    await everything(cluster, 'c');
    cluster.isolated.add('c');
    await cluster.kill('c');
    await cluster.put('t', '4');
    for (const node of ['a', 'b']) await cluster.kill(node);
    const [b, c] = [await cluster.survey('b'), await cluster.survey('c')];
    const [more, less] = [b, c].map((found) => standingOf(found, 'table d.t').last.index);
    expect(more).to.be.above(less ?? 0);
  });

  it('may be recovered once more from the same node', async () => {
    const cluster = await three();
    await everything(cluster, 'b');
    for (const node of nodes) await cluster.kill(node);
    await cluster.survey('b', { isFinal: true });
    const again = await cluster.survey('b', { isFinal: true });
    expect(standingOf(again, 'table d.t').configuration.voters).to.deep.equal(['b']);
    await cluster.open('b');
    expect(await cluster.ids('t')).to.have.members(['1', '2', '3']);
  });
});
