import { expect } from 'chai';
import { encodeUtf8 } from '../../common/bytes.ts';
import type { MetadataCommand } from '../../metadata/command.ts';
import { shardsOf } from '../../metadata/shards.ts';
import { newTable } from '../../metadata/testing/new-table.ts';
import type { ReplicatedGroup } from '../../replication/replicated-group.ts';
import type { ShardReplica } from '../../shard/shard-replica.ts';
import { put, scan, stateOf } from './fixture.ts';
import { RaftCluster } from './raft-cluster.ts';
import type { RaftClusterOptions } from './raft-cluster.ts';

export const nodes = ['a', 'b', 'c'] as const;

export const member = (id: string): MetadataCommand => ({
  type: 'putMember',
  format: 3,
  member: { id, name: id, roles: ['data'] },
});

export const table = (...replicas: readonly string[]): MetadataCommand => ({
  type: 'createTable',
  format: 3,
  table: { ...newTable('t'), replicas: replicas.length },
  replicas: [replicas],
});

/** Databases of one cluster over Raft, with one table of one shard. */
export class Replicas extends RaftCluster {
  metadataOf(node: string): ReplicatedGroup {
    return this.of(node).metadataReplicas ?? expect.fail();
  }

  /** Undefined while the node does not know the table. */
  find(node: string): ShardReplica | undefined {
    const record = this.of(node).state.tables['t'];
    const group = record === undefined ? -1 : (shardsOf(record)[0]?.group ?? -1);
    return this.of(node).replica(group);
  }

  shard(node: string): ShardReplica {
    return this.find(node) ?? expect.fail(`no replica on ${node}`);
  }

  /** The node that leads a group, once one does. */
  async leader(of: (node: string) => ReplicatedGroup | undefined): Promise<string> {
    const leading = (): string | undefined =>
      [...this.running.keys()].find((node) => {
        const group = of(node);
        return group !== undefined && group.refusal === undefined;
      });
    await this.until(() => leading() !== undefined, 'a node leads');
    return leading() ?? expect.fail();
  }

  shardLeader(): Promise<string> {
    return this.leader((node) => this.find(node)?.replicas);
  }

  async change(...commands: readonly MetadataCommand[]): Promise<void> {
    for (const command of commands) {
      const leader = await this.leader((node) => this.metadataOf(node));
      stateOf(await this.ended(this.of(leader).change(command)));
    }
    const index = Math.max(
      ...nodes.map((node) => this.running.get(node)?.database.metadataIndex ?? 0),
    );
    const isBehind = (node: string): boolean => this.of(node).metadataIndex < index;
    await this.until(() => ![...this.running.keys()].some(isBehind), 'all know the metadata');
  }

  async put(key: string, value: string): Promise<void> {
    const leader = await this.shardLeader();
    await this.ended(put(this.shard(leader), key, value));
  }

  outdated(node: string, key: string): string | undefined {
    return this.shard(node).getOutdated(encodeUtf8(key))?.text;
  }

  /** What a replica answers, or why it does not. */
  outdatedOr(node: string, key: string): string | undefined {
    try {
      return this.outdated(node, key);
    } catch (error) {
      return (error as Error).message;
    }
  }

  async shown(node: string, key: string, value: string): Promise<void> {
    const text = JSON.stringify({ id: key, v: value });
    await this.until(() => this.outdatedOr(node, key) === text, `${node} shows ${text}`);
  }

  async scanned(): Promise<string[]> {
    const leader = await this.shardLeader();
    return this.ended(scan(this.shard(leader)));
  }
}

/** `a` founds the metadata's group, and the others join it. */
export async function three(options: RaftClusterOptions = {}): Promise<Replicas> {
  const cluster = new Replicas(options);
  await cluster.open('a', ['a']);
  await cluster.change(member('a'));
  for (const node of ['b', 'c']) await cluster.open(node);
  const metadata = cluster.metadataOf('a');
  metadata.changeMembers({ voters: ['a'], learners: ['b', 'c'] });
  const isLearned = (): boolean =>
    ['b', 'c'].every((node) => cluster.of(node).metadataIndex === metadata.matches.get('a'));
  await cluster.until(isLearned, 'the learners have the metadata');
  metadata.changeMembers({ voters: nodes, learners: [] });
  const { configuration } = metadata;
  expect(configuration.voters).to.have.length(3);
  await cluster.until(() => metadata.configuration.outgoing.length === 0, 'all are voters');
  const database = { type: 'createDatabase', id: 'd', name: 'd' } as const;
  await cluster.change(member('b'), member('c'), database, table(...nodes));
  return cluster;
}
