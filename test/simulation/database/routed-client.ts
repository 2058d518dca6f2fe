import { encodeUtf8 } from '../../../dataplane/common/bytes.ts';
import type { Prng } from '../../../dataplane/common/prng.ts';
import { batchOf } from '../../../dataplane/database/testing/edits.ts';
import { errorType, RuntimeError } from '../../../dataplane/query/errors.ts';
import type { Row } from '../../../dataplane/wire/table-access.ts';
import type { ListOperation } from '../checkers/append-lists.ts';
import type { VirtualTime } from '../virtual-time.ts';
import { OwedAnswers } from './owed-answers.ts';
import type { SimulatedNode } from './simulated-node.ts';

export interface RoutedClientOptions {
  readonly name: string;
  readonly table: string;
  readonly lists: readonly string[];
  readonly pauseMs: number;
  readonly untilMs: number;
}

interface ClusterOfClient {
  readonly time: VirtualTime;
  readonly random: Prng;
  readonly running: readonly SimulatedNode[];
}

type Recorded = { -readonly [Name in keyof ListOperation]: ListOperation[Name] };

const { signal: never } = new AbortController();
/** A client whose node is gone, or stands still, tries another one after this time. */
const patienceMs = 3_000;

/** The values of a list, as its document has them. */
export function valuesIn(row: Pick<Row, 'text'> | undefined): string[] {
  if (row === undefined) return [];
  const { v } = JSON.parse(row.text) as { readonly v: string };
  return v.split(' ').filter((value) => value !== '');
}

/**
 * As a driver: appends to lists and reads them by whichever node it is connected to, which finds the leader, and repeats
 * what it may. The client itself repeats nothing.
 */
export class RoutedClient {
  readonly history: Recorded[] = [];
  readonly #cluster: ClusterOfClient;
  readonly #options: RoutedClientOptions;
  readonly counts = { unavailable: 0, unknown: 0 };
  #count = 0;
  #node: SimulatedNode | undefined;
  readonly #answers = new OwedAnswers();

  constructor(cluster: ClusterOfClient, options: RoutedClientOptions) {
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

  /** It stays with the node that it knows, mostly: that one has the maps and hints of before. */
  #connected(): SimulatedNode | undefined {
    const { random, running } = this.#cluster;
    if (this.#node?.isUp === true && random.next() < 0.9) return this.#node;
    this.#node = running.length === 0 ? undefined : random.pick(running);
    return this.#node;
  }

  #operate(): void {
    const { random, time } = this.#cluster;
    const node = this.#connected();
    const base = {
      list: random.pick(this.#options.lists),
      calledAt: time.now,
      returnedAt: Number.POSITIVE_INFINITY,
    };
    const isRead = random.next() < 0.4;
    const over = this.#once();
    node?.life.run(() => {
      const table = node.router?.table(this.#options.table);
      if (table === undefined) return over();
      const key = encodeUtf8(base.list);
      if (isRead) {
        const asked = Promise.resolve().then(() => table.get(key, { signal: never }));
        return this.#read(base, this.#answers.owed(node, `read at ${base.calledAt}`, asked), over);
      }
      this.#count += 1;
      const value = `${this.#options.name}${this.#count}`;
      const batch = batchOf([{ key, change: { type: 'update', by: { text: `${value} ` } } }]);
      const what = `append ${value} at ${base.calledAt}`;
      const edited = this.#answers.owed(node, what, table.edit(batch, never));
      return this.#append({ ...base, kind: 'append', value }, edited, over);
    });
  }

  #read(base: Omit<Recorded, 'kind'>, answer: Promise<Row | undefined>, over: () => void): void {
    answer.then(
      (row) => {
        const returnedAt = this.#cluster.time.now;
        this.history.push({ ...base, kind: 'read', read: valuesIn(row), returnedAt });
        over();
      },
      () => {
        this.counts.unavailable += 1;
        over();
      },
    );
  }

  #append(
    operation: Recorded,
    outcomes: Promise<readonly { readonly error?: { readonly code: string } | undefined }[]>,
    over: () => void,
  ): void {
    this.history.push(operation);
    outcomes.then(
      ([outcome]) => {
        if (outcome?.error === undefined) operation.returnedAt = this.#cluster.time.now;
        else this.counts.unknown += 1;
        over();
      },
      (error: unknown) => {
        operation.isRefused = error instanceof RuntimeError && error.type === errorType.opFailed;
        if (operation.isRefused) this.counts.unavailable += 1;
        else this.counts.unknown += 1;
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
    this.#cluster.time.after(patienceMs, () => {
      if (!isOver) this.#node = undefined;
      over();
    });
    return over;
  }
}
