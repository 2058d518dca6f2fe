import { Prng } from '../../../common/prng.ts';
import { RaftCluster } from '../../../database/testing/raft-cluster.ts';
import { stateOf } from '../../../database/testing/fixture.ts';
import { documentProblem } from '../../../datum/document.ts';
import type { MetadataCommand, Refused } from '../../../metadata/command.ts';
import type { MetadataState, TableRecord } from '../../../metadata/state.ts';
import { newTable } from '../../../metadata/testing/new-table.ts';
import { keyspacesOf, placementOf } from '../../../metadata/shards.ts';
import { createQueryEngine } from '../../../query/create-engine.ts';
import { createEditEngine } from '../../../query/edit-engine.ts';
import type { NodeEnvironment } from '../../../query/environment.ts';
import type { GlobalOptions } from '../../../query/engine.ts';
import { compileIndex } from '../../../query/index-function.ts';
import { MemoryReport } from '../../../query/testing/memory-report.ts';
import { wholeAnswer } from '../../../query/testing/run.ts';
import { NotLeaderError } from '../../../replication/errors.ts';
import type { ReplicatedGroup } from '../../../replication/replicated-group.ts';
import { NotSentError } from '../../../router/errors.ts';
import type { ShardPeers } from '../../../router/peers.ts';
import type { ShardReplica } from '../../../shard/shard-replica.ts';
import { decodeTableRequest } from '../../../wire/table-codec.ts';
import type { ShardEngine } from '../../../wire/shard-engine.ts';
import { machineChance } from '../../chance.ts';
import { createEnvironment } from '../../environment.ts';
import { RoutedTables } from '../routed-tables.ts';
import { ShardService } from '../shard-service.ts';

export const nodes = ['a', 'b', 'c'] as const;
export type NodeName = (typeof nodes)[number];

const member = (id: string): MetadataCommand => ({
  type: 'putMember',
  format: 3,
  member: { id, name: id, roles: ['data'] },
});

interface Answer {
  state: 'open' | 'answered' | 'failed';
  value: unknown;
}

const open = new AbortController().signal;

/** Three databases over Raft, each with a router and a query engine, in one process; a test moves their time. */
export class ThreeNodes extends RaftCluster {
  /** `from to kind` of each request between nodes. */
  readonly asked: string[] = [];
  /** Of all answers to them. */
  answeredBytes = 0;
  /** They take requests, and never answer. */
  readonly stuck = new Set<string>();
  readonly #services = new Map<string, ShardService>();
  readonly #engines = new Map<string, ReturnType<typeof createQueryEngine>>();

  static async open(edits: ShardEngine = createEditEngine()): Promise<ThreeNodes> {
    const forward = (command: MetadataCommand) => cluster.#forward(command);
    const cluster: ThreeNodes = new ThreeNodes({
      parts: {
        documents: { problemOf: documentProblem },
        edits,
        compileIndex,
        forward,
      },
    });
    await cluster.#found();
    for (const node of nodes) cluster.#serve(node);
    return cluster;
  }

  async #found(): Promise<void> {
    await this.open('a', ['a']);
    await this.change(member('a'));
    for (const node of ['b', 'c']) await this.open(node);
    const metadata = this.metadataOf('a');
    metadata.changeMembers({ voters: ['a'], learners: ['b', 'c'] });
    const isLearned = (): boolean =>
      ['b', 'c'].every((node) => this.of(node).metadataIndex === metadata.matches.get('a'));
    await this.until(isLearned, 'the learners have the metadata');
    metadata.changeMembers({ voters: nodes, learners: [] });
    await this.until(() => metadata.configuration.outgoing.length === 0, 'all are voters');
    await this.change(member('b'), member('c'));
    await this.change({ type: 'createDatabase', id: 'd-test', name: 'test' });
  }

  /** To the node that leads the metadata, if one does. */
  #forward(command: MetadataCommand): Promise<MetadataState | Refused> {
    for (const [node, { database }] of this.running)
      if (!this.isolated.has(node) && database.metadataReplicas?.refusal === undefined)
        return database.change(command);
    return Promise.reject(new NotLeaderError(undefined));
  }

  metadataOf(node: string): ReplicatedGroup {
    const group = this.of(node).metadataReplicas;
    if (group === undefined) throw new Error(`${node} has no metadata`);
    return group;
  }

  async change(...commands: readonly MetadataCommand[]): Promise<void> {
    for (const command of commands) {
      const leads = (node: string): boolean => this.metadataOf(node).refusal === undefined;
      await this.until(() => [...this.running.keys()].some(leads), 'a node leads');
      const leader = [...this.running.keys()].find(leads) ?? '';
      stateOf(await this.ended(this.of(leader).change(command)));
    }
    await this.known();
  }

  /** All nodes have the metadata of the newest one. */
  async known(): Promise<void> {
    const running = [...this.running.values()].map(({ database }) => database);
    const newest = Math.max(...running.map(({ metadataIndex }) => metadataIndex));
    const isKnown = (): boolean => running.every(({ metadataIndex }) => metadataIndex >= newest);
    await this.until(isKnown, 'all know the metadata');
  }

  #serve(node: NodeName): void {
    const database = this.of(node);
    const service = new ShardService(node, {
      database,
      requireRoom: () => undefined,
      refusal: () => undefined,
    });
    this.#services.set(node, service);
    const tables = new RoutedTables({
      clock: this.clock,
      chance: new Prng(node.charCodeAt(0)),
      peers: this.#peers(node),
      own: service,
      table: (id) => {
        const record = database.state.tables[id];
        if (record === undefined) return undefined;
        return {
          name: record.name,
          database: { name: 'test' },
          placement: placementOf(record),
        };
      },
      changed: (signal) => database.changed(signal),
      likely: (wanted = nodes) => wanted.filter((each) => each !== node),
      leader: (group) => database.replica(group)?.replicas.leader.node,
      signal: open,
    });
    const own = createEnvironment({
      database,
      disk: { refusal: () => undefined },
      clock: this.clock,
      chance: machineChance,
      server: { id: node, name: node },
      report: new MemoryReport(),
      cluster: {
        members: nodes.map((id) => ({ id, status: 'alive', isDraining: false })),
        isRemoved: () => false,
      },
    });
    const environment: NodeEnvironment = {
      ...own,
      table: (id, mode) => tables.access(id, mode),
    };
    this.#engines.set(node, createQueryEngine(environment));
  }

  #peers(from: string): ShardPeers {
    return {
      ask: async (to, { kind, bytes }, signal) => {
        const { mode = 'single' } = decodeTableRequest(bytes.slice(), { believesChecks: false }).to;
        this.asked.push(`${from} ${to} ${kind} ${mode}`);
        await this.clock.yield();
        if (this.isolated.has(from) !== this.isolated.has(to) || !this.running.has(to))
          throw new NotSentError(`There is no connection to node ${to}.`);
        if (this.stuck.has(to)) {
          await this.clock.sleep(3_600_000, signal);
        }
        const answer = await this.#services.get(to)?.answer(bytes.slice(), signal);
        if (answer === undefined) throw new NotSentError(`There is no node ${to}.`);
        this.answeredBytes += answer.byteLength;
        return answer.slice();
      },
    };
  }

  /** A query at a node, to its end. */
  query(node: NodeName, term: unknown, options: GlobalOptions = {}): Promise<unknown> {
    return this.ended(this.#run(node, term, options));
  }

  async #run(node: NodeName, term: unknown, options: GlobalOptions): Promise<unknown> {
    const engine = this.#engines.get(node);
    if (engine === undefined) throw new Error(`${node} does not serve`);
    return wholeAnswer(await engine.run(term, options, { user: 'admin', signal: open }), open);
  }

  /** A query that goes on while the test does something else. */
  answer(node: NodeName, term: unknown): Answer {
    const answer: Answer = { state: 'open', value: undefined };
    const over = (state: Answer['state'], value: unknown): void =>
      void Object.assign(answer, { state, value });
    this.#run(node, term, {}).then(
      (value) => over('answered', value),
      (error: unknown) => over('failed', error),
    );
    return answer;
  }

  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    await this.until(() => this.clock.now() >= until, 'time passes');
  }

  /** What a query fails with. */
  async failure(node: NodeName, term: unknown, options: GlobalOptions = {}): Promise<Error> {
    try {
      await this.query(node, term, options);
    } catch (error) {
      return error as Error;
    }
    throw new Error('the query did not fail');
  }

  /** `replicas`: of each shard. */
  async createTable(
    name: string,
    replicas: readonly (readonly string[])[],
    more: Pick<TableRecord, 'writeAcks'> = {},
  ): Promise<void> {
    const most = Math.max(...replicas.map(({ length }) => length));
    const settings = { databaseId: 'd-test', shards: replicas.length, replicas: most, ...more };
    await this.change({
      type: 'createTable',
      format: 3,
      table: newTable(name, settings),
      replicas,
    });
  }

  #record(node: string, table: string): TableRecord | undefined {
    return Object.values(this.of(node).state.tables).find(({ name }) => name === table);
  }

  /** Whether the replicas of a node have all indexes of a table. */
  hasIndex(node: string, table: string): boolean {
    const record = this.#record(node, table);
    const indexes = record === undefined ? [] : this.of(node).indexStates(record);
    const isBuilt = (keyspace: number): boolean => this.of(node).index(keyspace) !== undefined;
    return (
      indexes.length > 0 &&
      indexes.every((index) => index.ready && keyspacesOf(index).every(isBuilt))
    );
  }

  /** Documents that a node has of a table, outdated or not. */
  count(node: string, table: string): number {
    const record = this.#record(node, table);
    const shards = record === undefined ? [] : placementOf(record).shards;
    return shards.reduce((sum, { group }) => sum + (this.of(node).replica(group)?.count ?? 0), 0);
  }

  /** Nodes are to have the first shard of a table, which nobody carries out. */
  async place(table: string, wanted: readonly NodeName[]): Promise<void> {
    const record = this.#record('a', table);
    const group = record === undefined ? undefined : placementOf(record).shards[0]?.group;
    if (record === undefined || group === undefined) throw new Error(`there is no ${table}`);
    await this.change({ type: 'placeShard', format: 3, tableId: record.id, group, wanted });
  }

  /** The replica of a shard of a table; undefined where there is none. */
  replica(node: string, table: string, shard = 0): ShardReplica | undefined {
    const record = this.#record(node, table);
    const group = record === undefined ? undefined : placementOf(record).shards[shard]?.group;
    return group === undefined ? undefined : this.of(node).replica(group);
  }

  leaderOf(table: string, shard = 0): NodeName | undefined {
    return nodes.find(
      (node) =>
        this.replica(node, table, shard)?.replicas.refusal === undefined &&
        this.replica(node, table, shard) !== undefined &&
        !this.isolated.has(node),
    );
  }

  /** Moves the leadership of a shard. */
  async lead(node: NodeName, table: string, shard = 0): Promise<void> {
    const isLed = (): boolean => this.replica(node, table, shard)?.replicas.refusal === undefined;
    for (let tries = 0; !isLed(); tries += 1) {
      if (tries > 20) throw new Error(`${node} never leads`);
      const leader = this.leaderOf(table, shard);
      if (leader !== undefined)
        this.replica(leader, table, shard)?.replicas.transferLeadership(node);
      await this.ended(this.clock.sleep(500, open));
    }
  }
}
