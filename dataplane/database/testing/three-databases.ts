import { expect } from 'chai';
import { encodeUtf8 } from '../../common/bytes.ts';
import type { ApplyStore } from '../../kv/store.ts';
import type { MetadataCommand } from '../../metadata/command.ts';
import { shardsOf } from '../../metadata/shards.ts';
import { newTable } from '../../metadata/testing/new-table.ts';
import type { ShardReplica } from '../../shard/shard-replica.ts';
import type { Database } from '../database.ts';
import { newFixture, open, stateOf } from './fixture.ts';
import type { Fixture } from './fixture.ts';
import { ManualCluster } from './manual-cluster.ts';

export const nodes = ['a', 'b', 'c'] as const;

/** Three databases of one cluster; `a` has founded it, and leads. */
export class Three {
  readonly cluster = new ManualCluster('a');
  readonly fixtures = new Map<string, Fixture>();
  readonly databases = new Map<string, Database>();

  async open(
    node: string,
    given: {
      readonly store?: ApplyStore;
      readonly commandBytesMax?: number;
    } = {},
  ): Promise<Database> {
    const fixture = this.fixtures.get(node) ?? newFixture();
    this.fixtures.set(node, fixture);
    const replicate = this.cluster.source(node, node === 'a' ? ['a'] : []);
    const database = await open(fixture, {
      ...given,
      replicate,
      memtableBytesMax: 1_000_000,
    });
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

export async function three(...replicas: readonly string[]): Promise<Three> {
  const made = new Three();
  for (const node of nodes) await made.open(node);
  await made.cluster.settled();
  const members = nodes.map(member);
  await made.change(...members, { type: 'createDatabase', id: 'd', name: 'd' });
  await made.change(tableOn(...replicas));
  return made;
}
