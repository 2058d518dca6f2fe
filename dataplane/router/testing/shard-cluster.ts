import { Prng } from '../../common/prng.ts';
import { PhotonError } from '../../common/errors.ts';
import { evenSlots, SlotMap } from '../../partition/hash-slots.ts';
import { createQueryEngine } from '../../query/create-engine.ts';
import { Term } from '../../query/term-table.ts';
import { MemoryEnvironment } from '../../query/testing/memory-environment.ts';
import { wholeAnswer } from '../../query/testing/run.ts';
import { ManualClock } from '../../wal/testing/manual-clock.ts';
import { indexBuildingCode, ShardElsewhereError } from '../../wire/errors.ts';
import type { TableAccess } from '../../wire/table-access.ts';
import { decodeTableRequest } from '../../wire/table-codec.ts';
import type { EditOutcome } from '../../wire/table-edit.ts';
import type { ShardAddress } from '../../wire/table-messages.ts';
import { answerTableRequest } from '../../wire/table-service.ts';
import { AnswerLostError, NotSentError } from '../errors.ts';
import { Leaders } from '../leaders.ts';
import type { ShardPeers } from '../peers.ts';
import { RoutedTable } from '../routed-table.ts';
import type { TableRoute } from '../routed-table.ts';

/** Nodes with the shards of one table in memory, and what can go wrong between them. */
type Fault =
  | 'unsent'
  /** The answer of a request that was not carried out, or that was. */
  | 'lostBefore'
  | 'lostAfter';

export const signal = new AbortController().signal;
const nodes = ['n1', 'n2', 'n3'] as const;

class BuildingError extends PhotonError {
  override readonly code = indexBuildingCode;
}

/** As a shard that knows what it has answered. */
function withSessions(table: TableAccess): TableAccess {
  const answers = new Map<string, readonly EditOutcome[]>();
  return {
    get: (key, query) => table.get(key, query),
    scan: (...range) => table.scan(...range),
    scanIndex: (...range) => table.scanIndex(...range),
    count: () => table.count(),
    sync: () => table.sync(),
    edit: async (batch, asked) => {
      const { id, sequence } = batch.session ?? { id: '', sequence: 0 };
      const outcomes = answers.get(`${id} ${sequence}`) ?? (await table.edit(batch, asked));
      if (batch.session !== undefined) answers.set(`${id} ${sequence}`, outcomes);
      return outcomes;
    },
  };
}

/** A table with an index over `group`. */
async function memoryTable(): Promise<TableAccess> {
  const environment = new MemoryEnvironment();
  const engine = createQueryEngine(environment);
  const table = [Term.TABLE, ['t']];
  for (const term of [
    [Term.TABLE_CREATE, ['t']],
    [Term.INDEX_CREATE, [table, 'group']],
  ])
    await wholeAnswer(await engine.run(term, {}, { user: 'admin', signal }), signal);
  const info = environment.catalog.table('d-test', 't');
  return withSessions(environment.table(info?.id ?? '') as TableAccess);
}

export const evenMap = (epoch: number, shards: number): SlotMap =>
  new SlotMap(
    epoch,
    Array.from({ length: shards }, (_, at) => [evenSlots(at, shards)]),
  );

export class ShardCluster implements ShardPeers {
  readonly clock = new ManualClock();
  readonly chance = new Prng(1);
  readonly leaders = new Leaders();
  /** By shard; undefined while there is none. */
  readonly leading: (string | undefined)[] = [];
  /** What the nodes know, and what the router knows. */
  epoch = 1;
  known: SlotMap;
  /** Grows when the shards get other groups. */
  generation = 1;
  isDropped = false;
  /** Whether nodes say who leads. */
  hasHints = true;
  /** Of the next requests. */
  readonly faults: Fault[] = [];
  /** `node kind`, in order. */
  readonly asked: string[] = [];
  /** `session/sequence` of the edits, in order. */
  readonly sessions: string[] = [];
  /** Scans of indexes that find their leader still building, and refuse. */
  building = 0;
  /** Those that do not answer. */
  readonly down = new Set<string>();
  shards: TableAccess[];
  #changed = Promise.withResolvers<void>();

  private constructor(shards: TableAccess[]) {
    this.shards = shards;
    this.known = evenMap(1, shards.length);
    for (const at of shards.keys()) this.leading[at] = nodes[at % nodes.length];
  }

  static async open(count: number): Promise<ShardCluster> {
    return new ShardCluster(await Promise.all(Array.from({ length: count }, memoryTable)));
  }

  static shard = memoryTable;

  router(own?: string): RoutedTable {
    return new RoutedTable({
      id: 't',
      name: 'test.t',
      clock: this.clock,
      chance: this.chance,
      route: () => (this.isDropped ? undefined : this.#route()),
      changed: (asked) =>
        Promise.race([
          this.#changed.promise,
          new Promise<never>((_, reject) =>
            asked.addEventListener('abort', () => reject(asked.reason as Error)),
          ),
        ]),
      own: own === undefined ? undefined : { node: own, shard: (to) => this.#led(own, to) },
      peers: this,
      leaders: this.leaders,
      signal,
    });
  }

  #route(): TableRoute {
    const { generation } = this;
    return {
      slots: this.known,
      identity: (shard) => `${generation}/${shard}/${this.known.shards}`,
      replicas: () => [...nodes],
    };
  }

  /** The router learns of the map of the nodes. */
  learn(map: SlotMap): void {
    this.known = map;
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }

  async ask(
    node: string,
    { bytes }: { readonly bytes: Uint8Array },
    asked: AbortSignal,
  ): Promise<Uint8Array> {
    const request = decodeTableRequest(bytes, { believesChecks: false });
    this.asked.push(`${node} ${request.kind}`);
    const session = request.kind === 'edit' ? request.body.session : undefined;
    if (session !== undefined)
      this.sessions.push(`${session.id}/${session.sequence}${session.isRepeated ? ' again' : ''}`);
    if (this.down.has(node)) throw new NotSentError(`There is no connection to node ${node}.`);
    const fault = this.faults.shift();
    if (fault === 'unsent') throw new NotSentError('Too much waits for the node.');
    if (fault === 'lostBefore') throw new AnswerLostError('The connection ended.');
    const answer = await answerTableRequest(
      bytes.slice(),
      {
        believesChecks: false,
        shard: (to) => {
          const shard = this.#led(node, to);
          if (shard !== undefined) return shard;
          const leader = this.hasHints ? this.leading[to.shard] : undefined;
          throw new ShardElsewhereError({ leader, epoch: this.epoch });
        },
      },
      asked,
    );
    if (fault === 'lostAfter') throw new AnswerLostError('The connection ended.');
    return answer.slice();
  }

  #led(node: string, to: ShardAddress): TableAccess | undefined {
    if (to.epoch !== this.epoch || this.leading[to.shard] !== node) return undefined;
    const shard = this.shards[to.shard];
    if (shard === undefined || this.building === 0) return shard;
    return {
      ...shard,
      scanIndex: () => {
        this.building -= 1;
        throw new BuildingError('It is still building.');
      },
    };
  }
}

/** Runs work to its end while time passes. */
export async function inTime<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  const state = { isOver: false };
  const ended = work.finally(() => (state.isOver = true));
  ended.catch(() => undefined);
  while (!state.isOver) {
    await clock.yield();
    clock.advance(10);
  }
  return ended;
}
