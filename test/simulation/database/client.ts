import type { Prng } from '../../../dataplane/common/prng.ts';
import { encodeUtf8 } from '../../../dataplane/common/bytes.ts';
import { scriptedBatch } from '../../../dataplane/database/testing/edits.ts';
import type { Datum } from '../../../dataplane/datum/datum.ts';
import { NotLeaderError, OutcomeUnknownError } from '../../../dataplane/replication/errors.ts';
import type { ShardReplica } from '../../../dataplane/shard/shard-replica.ts';
import type { EditBatch, EditOutcome } from '../../../dataplane/wire/table-edit.ts';
import type { ListOperation } from '../checkers/append-lists.ts';
import type { VirtualTime } from '../virtual-time.ts';
import { OwedAnswers } from './owed-answers.ts';
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

type Recorded = {
  -readonly [Name in keyof ListOperation]: ListOperation[Name];
};

const timeoutMs = 1_000;
/** A write is repeated so often. */
const attemptsMax = 5;
const retryMs = 100;
const never = new AbortController().signal;

/** An append on its way. */
interface Write {
  readonly operation: Recorded;
  readonly batch: EditBatch;
  readonly failures: number;
}

export const valuesOf = (document: Datum): string[] =>
  document === null ? [] : (document as { values: string[] }).values;

/** One client: appends to lists and reads them, one operation after the other, by the node that it takes for the leader. */
export class Client {
  readonly history: Recorded[] = [];
  readonly #cluster: ClusterOfClient;
  readonly #options: ClientOptions;
  #count = 0;
  /** Another session each time that a write was given up. */
  #lives = 0;
  /** Attempts of writes whose outcome was unknown. */
  repeated = 0;
  #node: string | undefined;
  readonly #answers = new OwedAnswers();

  constructor(cluster: ClusterOfClient, options: ClientOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** What nodes that run owe an answer. */
  get unanswered(): readonly string[] {
    return this.#answers.unanswered;
  }

  next(): void {
    const { time, random } = this.#cluster;
    if (time.now > this.#options.untilMs) return;
    time.after(random.next() * this.#options.pauseMs, () => this.#operate());
  }

  #operate(): void {
    const { random, time } = this.#cluster;
    const node = this.#running();
    if (node === undefined) {
      time.after(timeoutMs, () => this.next());
      return;
    }
    const list = random.pick(this.#options.lists);
    const base = {
      list,
      calledAt: time.now,
      returnedAt: Number.POSITIVE_INFINITY,
    };
    if (random.next() >= 0.4) {
      this.#append(node, base);
      return;
    }
    const over = this.#once();
    node.life.run(() => {
      const shard = node.shard(this.#options.table);
      if (shard !== undefined) return this.#read(node, shard, base, over);
      this.#node = undefined;
      return over();
    });
  }

  /** The one that is taken for the leader, or any. */
  #running(): SimulatedNode | undefined {
    const { random, nodes } = this.#cluster;
    const running = [...nodes.values()].filter(({ isUp }) => isUp);
    const known = this.#node === undefined ? undefined : nodes.get(this.#node);
    const node = known?.isUp === true ? known : running[random.below(running.length)];
    this.#node = node?.id;
    return node;
  }

  get #session(): string {
    return `${this.#options.name}${this.#lives}`;
  }

  #append(node: SimulatedNode, base: Omit<Recorded, 'kind'>): void {
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
    const edits = scriptedBatch([{ key: encodeUtf8(base.list), evaluate }], durability);
    const session = {
      id: this.#session,
      sequence: this.#count,
      isRepeated: false,
    };
    this.#attempt({ operation, batch: { ...edits, session }, failures: 0 }, node);
  }

  /** As a router: a write whose outcome is unknown is sent again, by whichever node leads. */
  #attempt(write: Write, node: SimulatedNode): void {
    const { time } = this.#cluster;
    let isSettled = false;
    const once = (work: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      work();
    };
    const failed = (error: unknown): void => once(() => this.#failed(write, error));
    // What is under way goes on, and may be carried out later.
    time.after(timeoutMs, () => failed(new OutcomeUnknownError()));
    const work = (): void => {
      const shard = node.shard(this.#options.table);
      if (shard === undefined) return failed(new NotLeaderError(undefined));
      const { session } = write.batch;
      const again = session?.isRepeated === true ? ' again' : '';
      const what = `write ${session?.id}/${session?.sequence}${again} at ${time.now.toFixed(1)} ms`;
      return void this.#answers
        .owed(node, what, shard.edit(write.batch, never))
        .then((outcomes) => once(() => this.#written(write, outcomes)), failed);
    };
    // The network brings requests beside what the members say, which may end a leadership in the same turn.
    if (this.#cluster.random.next() < 0.3) node.withNextFrame(work);
    else node.life.run(work);
  }

  #written({ operation, batch }: Write, [outcome]: readonly EditOutcome[]): void {
    // A soft write may go with its leader.
    if (outcome?.error === undefined && batch.durability === 'hard')
      operation.returnedAt = this.#cluster.time.now;
    this.next();
  }

  #failed(write: Write, error: unknown): void {
    const { operation, batch, failures } = write;
    this.#follow(error);
    const wasUnknown = batch.session?.isRepeated === true;
    const isUnknown = wasUnknown || error instanceof OutcomeUnknownError;
    if (!isUnknown) operation.isRefused = true;
    if (isUnknown && failures < attemptsMax && batch.session !== undefined) {
      const session = { ...batch.session, isRepeated: true };
      this.#again({
        operation,
        batch: { ...batch, session },
        failures: failures + 1,
      });
      return;
    }
    // An attempt may be under way for long.
    if (isUnknown) this.#lives += 1;
    this.next();
  }

  #again(write: Write): void {
    const { time, random } = this.#cluster;
    time.after(random.next() * retryMs, () => {
      const node = this.#running();
      if (node === undefined) return this.#failed(write, new NotLeaderError(undefined));
      this.repeated += 1;
      return this.#attempt(write, node);
    });
  }

  /** Goes where the error says that the leader is. */
  #follow(error: unknown): void {
    const leader = (error as { readonly leader?: string }).leader;
    this.#node = leader;
  }

  #read(
    node: SimulatedNode,
    shard: ShardReplica,
    base: Omit<Recorded, 'kind'>,
    over: () => void,
  ): void {
    const answered = (text: string | undefined): void => {
      const read = valuesOf(text === undefined ? null : (JSON.parse(text) as Datum));
      this.history.push({
        ...base,
        kind: 'read',
        read,
        returnedAt: this.#cluster.time.now,
      });
      over();
    };
    const asked = Promise.resolve().then(() => shard.get(encodeUtf8(base.list)));
    this.#answers.owed(node, `read at ${base.calledAt.toFixed(1)} ms`, asked).then(
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
