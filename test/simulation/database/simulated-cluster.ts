import { setImmediate as turn } from 'node:timers/promises';
import { Prng } from '../../../dataplane/common/prng.ts';
import { calmNetwork } from '../cluster/simulated-cluster.ts';
import { Network } from '../network.ts';
import { SafetyViolation } from '../violation.ts';
import { VirtualTime } from '../virtual-time.ts';
import { SimulatedNode } from './simulated-node.ts';

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
  readonly counters = { events: 0, frames: 0, parts: 0 };
  #violation: Error | undefined;

  constructor(seed: number, ids: readonly string[]) {
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

  async #request(from: string, to: string, part: Uint8Array): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const sender = this.nodes.get(from)?.life;
    const isCut = (): boolean => this.network.isCut(from, to) || this.random.next() < 0.02;
    const copy = Uint8Array.from(part);
    const fail = (): void => sender?.run(() => reject(new Error(`${to} is not reached`)));
    this.time.after(requestMs, fail);
    this.time.after(1 + this.random.below(20), () => {
      const receiver = this.nodes.get(to);
      if (receiver === undefined || isCut()) return fail();
      return receiver.life.run(() => {
        this.counters.parts += 1;
        const answered = receiver.database?.snapshotRequest(copy);
        answered?.then(
          (answer) =>
            this.time.after(1, () => (isCut() ? fail() : sender?.run(() => resolve(answer)))),
          fail,
        );
      });
    });
    return promise;
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
