import { setTimeout as sleep } from 'node:timers/promises';
import r from 'rethinkdb';
import { RawConnection, queryText } from '../bench/raw-connection.ts';
import { recordedRead } from '../integration/testing/register-clients.ts';
import { RegisterLoad } from '../integration/testing/register-load.ts';
import { BulkLoad } from './bulk-load.ts';
import { NetworkedNodes, password, within } from './networked-nodes.ts';
import type { NetworkedNode } from './networked-nodes.ts';

/**
 * Nodes with replicated data on hosts of their own, clients at each of them, and the faults that together broke others:
 * members of a table change while links are cut, and processes are killed or stand still.
 */
export const faultKinds = [
  'partition',
  'outbound cut',
  'inbound cut',
  'partial partition',
  'kill',
  'pause',
  'full disk',
  'stop in isolation',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface FaultRound {
  readonly kind: FaultKind;
  /** The node with the fault. */
  readonly node: NetworkedNode;
  /** What the table is to have, from shortly before the fault on. */
  readonly replicas: number;
  /** From the change of the replicas to the fault, and from there to its end. */
  readonly delayMs: number;
  readonly lastsMs: number;
  /**
   * So many operations more at each other node during the fault: the majority goes on. Only where each shard is known
   * to have three voters: the lost one may be half of two.
   */
  readonly progress?: number;
}

const keys = Array.from({ length: 9 }, (_, at) => `key ${at}`);
/** More than there are nodes, so that each of them leads some. */
const shards = 6;
const name = 'registers';
const table = [15, [[14, ['test']], name]];
/** Whose writes nobody waits for. */
const unchecked = 'unchecked';
const retryMs = 250;
const flags = ['--roles', 'data,coordinator,consensus', '--replicated', '--query-workers', '1'];
/** At every node, after each round. */
const progressAfter = 5;
const mebibyte = 1_048_576;
/** Of the file system of each node. */
const volumeMib = 384;
/** Written while a disk is full: more than the segments that a log has prepared. */
const bulkBytes = 48 * mebibyte;
/** Of a driver whose node reaches nobody: a bound on what hangs. */
const closeDeadlineMs = 120_000;

const openTo = async (node: NetworkedNode): Promise<RawConnection> => {
  if (node.driver === undefined) throw new Error(`${node.name} does not run`);
  return RawConnection.open(node.driver, 'admin', password);
};

export class ReplicatedNodes {
  readonly nodes: NetworkedNodes;
  readonly load: RegisterLoad;
  readonly #bulk = new BulkLoad();
  readonly #running: NetworkedNode[];
  /** Reads that a node was asked while it stood still, and answered. */
  readsAfterPause = 0;

  private constructor(nodes: NetworkedNodes, running: readonly NetworkedNode[]) {
    this.nodes = nodes;
    this.#running = [...running];
    this.load = new RegisterLoad([], { keys, password });
    for (const node of running) this.#loaded(node);
  }

  /** Resolves when clients work at each node. Of more hosts than nodes, the last ones are for nodes that `grow` starts. */
  static async form(count: number, hosts = count): Promise<ReplicatedNodes> {
    const nodes = await NetworkedNodes.form(count, {
      hosts,
      flags,
      founderFlags: flags,
      volumeMib,
    });
    try {
      const running = nodes.all.slice(0, count);
      await ask(running, queryText([60, [[14, ['test']], name], { shards, replicas: count }]));
      await ask(running, BulkLoad.created(shards, count));
      await ask(running, queryText([60, [[14, ['test']], unchecked], { shards, replicas: count }]));
      const replicated = new ReplicatedNodes(nodes, running);
      await replicated.load.progress(progressAfter);
      return replicated;
    } catch (error) {
      await nodes.close();
      throw error;
    }
  }

  get running(): readonly NetworkedNode[] {
    return this.#running;
  }

  #loaded(node: NetworkedNode): void {
    this.load.add({ name: node.name, address: () => node.driver });
  }

  /** Another node joins. */
  async grow(): Promise<void> {
    const next = this.nodes.all[this.#running.length];
    if (next === undefined) throw new Error('there is no host for another node');
    await this.nodes.join(next);
    this.#running.push(next);
    this.#loaded(next);
  }

  /** Asks for other replicas until some node has accepted that. */
  async reconfigure(replicas: number): Promise<void> {
    await ask(this.#running, queryText([176, [table], { shards, replicas }]));
  }

  /** Resolves when every replica of the table is ready. */
  async allReady(): Promise<void> {
    await ask(this.#running, queryText([177, [table], { wait_for: 'all_replicas_ready' }]));
  }

  async round(round: FaultRound): Promise<void> {
    const { kind, node, replicas, delayMs, lastsMs, progress = 0 } = round;
    const changing = this.reconfigure(replicas);
    changing.catch(() => undefined);
    await sleep(delayMs);
    const lasting = async (): Promise<void> => {
      const others = this.#running.filter((each) => each !== node).map((each) => each.name);
      await Promise.all([sleep(lastsMs), this.load.progress(progress, others)]);
    };
    if (kind === 'kill') await this.#killed(node, lasting);
    else if (kind === 'pause') await this.#paused(node, lasting);
    else if (kind === 'full disk') await this.#full(node, lasting);
    else if (kind === 'stop in isolation') await this.#stoppedAlone(node, lasting);
    else await this.#cut(kind, node, lasting);
    await this.load.progress(progressAfter);
    await changing;
  }

  async #killed(node: NetworkedNode, lasting: () => Promise<void>): Promise<void> {
    await node.kill();
    await lasting();
    await node.start(flags);
  }

  /** Whoever was asked for a register while it stood still answers from what it knows when it continues. */
  async #paused(node: NetworkedNode, lasting: () => Promise<void>): Promise<void> {
    const readers = await Promise.all(keys.map(() => openTo(node)));
    node.signal('SIGSTOP');
    let reads: ReturnType<typeof recordedRead>[] = [];
    try {
      await lasting();
      reads = readers.flatMap((reader, at) => recordedRead(reader, keys[at] ?? ''));
    } finally {
      node.signal('SIGCONT');
    }
    const answered = await Promise.all(reads);
    this.readsAfterPause += answered.filter((each) => Number.isFinite(each.returnedAt)).length;
    this.load.record(answered);
    for (const reader of readers) reader.close();
  }

  /** Others take large writes meanwhile, which its log has no room for. */
  async #full(node: NetworkedNode, lasting: () => Promise<void>): Promise<void> {
    const other = this.#running.find((each) => each !== node);
    node.volume.takeAll();
    try {
      await Promise.all([lasting(), other && this.#bulk.write(other, bulkBytes)]);
    } finally {
      node.volume.release();
    }
  }

  /** Nobody reaches it but its clients; a driver closes its connection, and an administrator stops the node. */
  async #stoppedAlone(node: NetworkedNode, lasting: () => Promise<void>): Promise<void> {
    await this.#cut('partition', node, async () => {
      await lasting();
      await closedBehindWrites(node);
      await node.terminate();
    });
    await node.start(flags);
  }

  async #cut(kind: FaultKind, node: NetworkedNode, lasting: () => Promise<void>): Promise<void> {
    const { network } = this.nodes;
    const others = this.#running.filter((each) => each !== node).map(({ host }) => host);
    const own = [node.host];
    if (kind === 'partition') await network.partition(own, others);
    else if (kind === 'outbound cut') await network.cut(own, others);
    else if (kind === 'inbound cut') await network.cut(others, own);
    else await network.partition(own, others.slice(0, 1));
    try {
      await lasting();
    } finally {
      await network.heal();
    }
  }

  /** Ends the clients; throws when what they saw cannot be explained, or the nodes do not agree at the end. */
  async check(): Promise<void> {
    await this.load.end();
    const views: string[] = [];
    for (const node of this.#running) {
      const connection = await openTo(node);
      const reads = [];
      for (const key of keys) reads.push(await recordedRead(connection, key));
      connection.close();
      this.load.record(reads);
      views.push(reads.map(({ value }) => value).join(', '));
    }
    for (const node of this.#running) await this.#bulk.check(node);
    this.load.check();
    if (new Set(views).size !== 1) throw new Error(`the nodes differ:\n${views.join('\n')}`);
  }

  async close(): Promise<void> {
    this.load.stop();
    for (const node of this.#running) await node.stop();
    await this.load.end();
    await this.nodes.close();
  }
}

/** The types of the driver want all options. */
const withoutAnswer = { noreply: true } as r.OperationOptions;

/** The driver waits for writes without an answer when it closes. */
async function closedBehindWrites({ name: node, driver }: NetworkedNode): Promise<void> {
  if (driver === undefined) throw new Error(`${node} does not run`);
  const connection = await r.connect({ ...driver, user: 'admin', password });
  for (const key of keys) {
    const write = r.table(unchecked).insert({ id: key }, { conflict: 'replace' });
    await write.run(connection, withoutAnswer);
  }
  await within(closeDeadlineMs, `closing a connection to ${node}`, connection.close());
}

/** Some node does it; errors say that it is to be tried again, and the time limit of the test ends that. */
async function ask(nodes: readonly NetworkedNode[], query: string): Promise<void> {
  for (let at = 0; ; at += 1) {
    const node = nodes[at % nodes.length] as NetworkedNode;
    try {
      const connection = await openTo(node);
      try {
        await connection.run(query);
        return;
      } finally {
        connection.close();
      }
    } catch {
      await sleep(retryMs);
    }
  }
}
