import { setImmediate as turn } from 'node:timers/promises';
import { Prng } from '../../../dataplane/common/prng.ts';
import type { MetadataCommand, Refused } from '../../../dataplane/metadata/command.ts';
import type { MetadataState } from '../../../dataplane/metadata/state.ts';
import type { ReplicaMember } from '../../../dataplane/node/routing/gone-members.ts';
import { NotLeaderError } from '../../../dataplane/replication/errors.ts';
import { AnswerLostError, NotSentError } from '../../../dataplane/router/errors.ts';
import { calmNetwork } from '../cluster/simulated-cluster.ts';
import { Network } from '../network.ts';
import { SafetyViolation } from '../violation.ts';
import { VirtualTime } from '../virtual-time.ts';
import { SimulatedNode } from './simulated-node.ts';
import type { RouterNetwork } from './simulated-router.ts';

interface Parcel {
  readonly from: string;
  readonly frame: Uint8Array;
}

/** After this, whoever asked another node gives up. */
const requestMs = 1_000;

/** Turns of the event loop in which promises of the nodes are settled before the next event. */
const turnsPerEvent = 1;

/** Databases, and the network between them. */
export class SimulatedCluster {
  readonly time = new VirtualTime();
  readonly random: Prng;
  readonly network: Network<Parcel>;
  readonly nodes: ReadonlyMap<string, SimulatedNode>;
  readonly counters = { events: 0, frames: 0, parts: 0, moves: 0, lost: 0 };
  readonly #hasRouters: boolean;
  #violation: Error | undefined;

  /** Nodes that stop soon, as others see it. */
  readonly draining = new Set<string>();

  /** With routers, nodes tend their replicas, and ask one another for shards. */
  constructor(seed: number, ids: readonly string[], { hasRouters = false } = {}) {
    this.#hasRouters = hasRouters;
    this.random = new Prng(seed);
    const { time, random } = this;
    this.network = new Network({ time, random }, calmNetwork, (to, { from, frame }) =>
      this.nodes.get(to)?.receive(from, frame),
    );
    const cluster = {
      time,
      random,
      send: (from: string, to: string, frame: Uint8Array) => {
        this.counters.frames += 1;
        this.network.send(from, to, { from, frame });
      },
      request: (from: string, to: string, part: Uint8Array) => this.#request(from, to, part),
      violated: (error: Error) => void (this.#violation ??= error),
      routers: hasRouters ? this.#routers() : undefined,
    };
    const [founder] = ids;
    this.nodes = new Map(
      ids.map((id) => [id, new SimulatedNode(id, id === founder ? [id] : [], cluster)]),
    );
    for (const node of this.nodes.values()) node.start();
  }

  get running(): readonly SimulatedNode[] {
    return [...this.nodes.values()].filter(({ isUp }) => isUp);
  }

  /** The node that may propose for a table, or change the metadata. */
  leader(table?: string): SimulatedNode | undefined {
    return this.running.find((node) => {
      const { database } = node;
      const group = table === undefined ? database?.metadataReplicas : node.shard(table)?.replicas;
      return group !== undefined && group.refusal === undefined;
    });
  }

  #request(from: string, to: string, part: Uint8Array): Promise<Uint8Array> {
    const copy = Uint8Array.from(part);
    return this.#ask(from, to, (receiver) => {
      this.counters.parts += 1;
      return receiver.database?.snapshotRequest(copy);
    });
  }

  /**
   * Work of another node. Rejects with what that node says, with NotSentError when the request does not arrive, and with
   * AnswerLostError when whether it arrives is unknown: it may, later.
   */
  async #ask<T>(
    from: string,
    to: string,
    work: (receiver: SimulatedNode) => Promise<T> | undefined,
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const sender = this.nodes.get(from)?.life;
    const { network, random } = this;
    const isCut = (): boolean =>
      network.isCut(from, to) ||
      (this.#hasRouters && network.isCut(to, from)) ||
      random.next() < 0.02;
    const fail = (error: Error): void => sender?.run(() => reject(error));
    const lost = (): void => fail(new AnswerLostError(`${to} does not answer`));
    this.time.after(requestMs, lost);
    this.time.after(1 + this.random.below(20), () => {
      const receiver = this.nodes.get(to);
      if (receiver === undefined || isCut() || (this.#hasRouters && !receiver.isUp))
        return fail(new NotSentError(`${to} is not reached`));
      return receiver.life.run(() => {
        const worked = work(receiver);
        if (worked === undefined) return fail(new NotSentError(`${to} does not serve`));
        return void worked.then(
          (answer) =>
            this.time.after(1, () => (isCut() ? lost() : sender?.run(() => resolve(answer)))),
          (error: unknown) => this.time.after(1, () => (isCut() ? lost() : fail(error as Error))),
        );
      });
    });
    return promise;
  }

  #routers(): RouterNetwork {
    const { signal } = new AbortController();
    return {
      members: (of) => this.#membersAsSeenBy(of),
      askShard: async (from, to, bytes) => {
        try {
          return await this.#ask(from, to, ({ router }) => router?.answer(bytes, signal));
        } catch (error) {
          this.counters.lost += Number(error instanceof AnswerLostError);
          throw error;
        }
      },
      change: (from, command) => this.#change(from, command),
    };
  }

  #membersAsSeenBy(node: string): readonly ReplicaMember[] {
    const isSeen = ({ id, isUp }: SimulatedNode): boolean =>
      id === node || (isUp && !this.network.isCut(id, node));
    return [...this.nodes.values()].map((each) => ({
      id: each.id,
      name: each.id,
      roles: ['data'],
      status: isSeen(each) ? 'alive' : 'suspect',
      isSelf: each.id === node,
      isDraining: this.draining.has(each.id),
    }));
  }

  #change(from: string, command: MetadataCommand): Promise<MetadataState | Refused> {
    const { database } = this.nodes.get(from) ?? {};
    if (database?.metadataReplicas?.refusal === undefined && database !== undefined)
      return database.change(command);
    const leader = this.leader();
    if (leader === undefined) return Promise.reject(new NotLeaderError(undefined));
    return this.#ask(from, leader.id, (receiver) => receiver.database?.change(command));
  }

  async runUntil(end: number): Promise<void> {
    await turn();
    while (this.time.nextAt <= end) {
      this.time.runNext();
      // Every promise that can be settled is, before the next event.
      for (let turns = 0; turns < turnsPerEvent; turns += 1) await turn();
      this.counters.events += 1;
      if (this.#violation !== undefined) throw this.#violation;
    }
    this.time.runUntil(end);
  }

  /** Lets time pass until it holds. */
  async until(holds: () => boolean, withinMs: number, what: string): Promise<void> {
    const end = this.time.now + withinMs;
    while (!holds()) {
      if (this.time.now > end) throw new SafetyViolation(`within ${withinMs} ms: ${what}`);
      await this.runUntil(this.time.now + 10);
    }
  }
}
