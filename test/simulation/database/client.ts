import type { Prng } from '../../../dataplane/common/prng.ts';
import { encodeUtf8 } from '../../../dataplane/common/bytes.ts';
import { editAll } from '../../../dataplane/database/testing/edits.ts';
import type { ScriptedOutcome } from '../../../dataplane/database/testing/edits.ts';
import type { Datum } from '../../../dataplane/datum/datum.ts';
import { OutcomeUnknownError } from '../../../dataplane/replication/errors.ts';
import type { ShardReplica } from '../../../dataplane/shard/shard-replica.ts';
import type { ListOperation } from '../checkers/append-lists.ts';
import type { VirtualTime } from '../virtual-time.ts';
import type { SimulatedNode } from './simulated-node.ts';

export interface ClientOptions {
  readonly name: string;
  readonly table: string;
  readonly lists: readonly string[];
  readonly pauseMs: number;
  readonly padding: string;
  readonly untilMs: number;
}

interface ClusterOfClient {
  readonly time: VirtualTime;
  readonly random: Prng;
  readonly nodes: ReadonlyMap<string, SimulatedNode>;
}

type Recorded = { -readonly [Name in keyof ListOperation]: ListOperation[Name] };

const timeoutMs = 1_000;

export const valuesOf = (document: Datum): string[] =>
  document === null ? [] : (document as { values: string[] }).values;

/** One client: appends to lists and reads them, one operation after the other, by the node that it takes for the leader. */
export class Client {
  readonly history: Recorded[] = [];
  readonly #cluster: ClusterOfClient;
  readonly #options: ClientOptions;
  #count = 0;
  #node: string | undefined;

  constructor(cluster: ClusterOfClient, options: ClientOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  next(): void {
    const { time, random } = this.#cluster;
    if (time.now > this.#options.untilMs) return;
    time.after(random.next() * this.#options.pauseMs, () => this.#operate());
  }

  #operate(): void {
    const { random, nodes, time } = this.#cluster;
    const running = [...nodes.values()].filter(({ isUp }) => isUp);
    const known = this.#node === undefined ? undefined : nodes.get(this.#node);
    const node = known?.isUp === true ? known : running[random.below(running.length)];
    if (node === undefined) {
      time.after(timeoutMs, () => this.next());
      return;
    }
    this.#node = node.id;
    const list = random.pick(this.#options.lists);
    const base = { list, calledAt: time.now, returnedAt: Number.POSITIVE_INFINITY };
    const over = this.#once();
    node.life.run(() => {
      const shard = node.shard(this.#options.table);
      if (shard === undefined) {
        this.#node = undefined;
        return over();
      }
      return random.next() < 0.4 ? this.#read(shard, base, over) : this.#append(shard, base, over);
    });
  }

  #append(shard: ShardReplica, base: Omit<Recorded, 'kind'>, over: () => void): void {
    this.#count += 1;
    const value = `${this.#options.name}${this.#count}`;
    const operation: Recorded = { ...base, kind: 'append', value };
    this.history.push(operation);
    const { padding } = this.#options;
    const evaluate = (old: Datum): Datum => ({
      id: base.list,
      values: [...valuesOf(old), value],
      padding,
    });
    const durability = this.#cluster.random.next() < 0.9 ? 'hard' : 'soft';
    const written = editAll(shard, [{ key: encodeUtf8(base.list), evaluate }], durability);
    written.then(
      (outcomes) => this.#written(operation, outcomes, durability, over),
      (error: unknown) => this.#refused(operation, error, over),
    );
  }

  #written(
    operation: Recorded,
    [outcome]: ScriptedOutcome[],
    durability: 'hard' | 'soft',
    over: () => void,
  ): void {
    // A soft write may go with its leader.
    if (outcome?.error === undefined && durability === 'hard')
      operation.returnedAt = this.#cluster.time.now;
    over();
  }

  #refused(operation: Recorded, error: unknown, over: () => void): void {
    if (!(error instanceof OutcomeUnknownError)) operation.isRefused = true;
    this.#follow(error);
    over();
  }

  /** Goes where the error says that the leader is. */
  #follow(error: unknown): void {
    const leader = (error as { readonly leader?: string }).leader;
    this.#node = leader;
  }

  #read(shard: ShardReplica, base: Omit<Recorded, 'kind'>, over: () => void): void {
    const answered = (text: string | undefined): void => {
      const read = valuesOf(text === undefined ? null : (JSON.parse(text) as Datum));
      this.history.push({ ...base, kind: 'read', read, returnedAt: this.#cluster.time.now });
      over();
    };
    Promise.resolve()
      .then(() => shard.get(encodeUtf8(base.list)))
      .then(
        (row) => answered(row?.text),
        (error: unknown) => {
          this.#follow(error);
          over();
        },
      );
  }

  /** The next operation begins when this one is answered or has taken too long. */
  #once(): () => void {
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      this.next();
    };
    this.#cluster.time.after(timeoutMs, () => {
      if (!isOver) this.#node = undefined;
      over();
    });
    return over;
  }
}
