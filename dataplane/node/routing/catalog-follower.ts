import { backoffMs } from '../../common/backoff.ts';
import type { Chance } from '../../common/chance.ts';
import type { Clock } from '../../common/clock.ts';
import { MetadataWatch } from '../../database/metadata-watch.ts';
import type { Placement, Verifier } from '../../metadata/state.ts';
import type { TableInfo } from '../../query/environment.ts';
import { errorType, RuntimeError } from '../../query/errors.ts';
import { NotSentError } from '../../router/errors.ts';
import { faultOf, nextStep } from '../../router/retry.ts';
import { CatalogReplica } from '../workers/catalog-replica.ts';
import { errorOf } from '../workers/failures.ts';
import { nowhere } from '../workers/table-layout.ts';
import type { PlacedShards } from './shard-reports.ts';
import { changeCodec, changedCodec, updateCodec, watchCodec } from './catalog-messages.ts';
import type {
  CatalogUpdate,
  ChangeAnswer,
  ChangeRequest,
  KnownCatalog,
  StateMark,
  WatchRequest,
} from './catalog-messages.ts';

/** How long a change that is made waits until this node sees it, too. */
const seenWithinMs = 5_000;
const backoff = { initialMs: 100, maximumMs: 2_000 } as const;

export interface CatalogFollowerOptions {
  readonly clock: Clock;
  readonly chance: Pick<Chance, 'next'>;
  /** Nodes with a replica of the metadata, those that seem alive first. */
  sources(): readonly string[];
  /** Rejects as `ShardPeers.ask` does. */
  ask(
    node: string,
    name: 'watchCatalog' | 'changeCatalog',
    payload: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array>;
  readonly warn: (message: string, fields: object) => void;
}

/** The catalogue of a node that has the metadata says where the shards are, too. */
type PlacedInfo = Pick<TableInfo, 'places'> & { readonly placement: Placement };

const votersOf = (placement: Placement | undefined, at: number): readonly string[] =>
  placement?.shards[at]?.replicas?.voters ?? [];

/** The catalogue of a node without a replica of the metadata: that of a node which has one, as it changes. */
export class CatalogFollower {
  readonly replica = new CatalogReplica();
  readonly #options: CatalogFollowerOptions;
  readonly #watch = new MetadataWatch();
  #users: Readonly<Record<string, Verifier>> = {};
  #known: KnownCatalog | undefined;
  #mark: StateMark | undefined;
  /** The node that is followed, or that was named as the one that changes the metadata. */
  #source: string | undefined;

  constructor(options: CatalogFollowerOptions) {
    this.#options = options;
  }

  /** Whether there is a catalogue: it may be older than that of the node that is followed. */
  get isKnown(): boolean {
    return this.#mark !== undefined;
  }

  /** Of the tables that have places; none in a cluster without replicas. */
  get placedShards(): readonly PlacedShards[] {
    return this.replica.ids.flatMap((id) => {
      const { places, placement } = (this.replica.tableById(id) ?? {}) as Partial<PlacedInfo>;
      if (places === undefined) return [];
      return [{ id, places, voters: places.map((_, at) => votersOf(placement, at)) }];
    });
  }

  get users(): Readonly<Record<string, Verifier>> {
    return this.#users;
  }

  /** Resolves at the next change; rejects when the signal says so. */
  changed(signal: AbortSignal): Promise<void> {
    return this.#watch.changed(signal);
  }

  /** Follows until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, chance, warn } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const node = this.#nodeToAsk();
      try {
        if (node === undefined) throw new NotSentError('No node with data has been seen yet.');
        await this.#follow(node, signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        const { message } = error as Error;
        if (failures === 3) warn('the catalogue cannot be followed', { node, reason: message });
        this.#source = undefined;
        // Of another node: everything.
        this.#known = undefined;
        failures += 1;
        await clock
          .sleep(backoffMs(backoff, failures, chance.next()), signal)
          .catch(() => undefined);
      }
    }
  }

  /** Changes the catalogue where that can be done, and waits until it is seen here. */
  async change(name: ChangeRequest['name'], args: readonly unknown[], signal: AbortSignal) {
    const { type, result, mark, failure } = await this.changeThere(name, args, signal);
    if (type === 'failed') throw errorOf(failure);
    if (mark !== undefined) await this.#seen(mark, signal);
    return result;
  }

  async #follow(node: string, signal: AbortSignal): Promise<void> {
    const request: WatchRequest = this.#known === undefined ? {} : { known: this.#known };
    const payload = watchCodec.encode(request);
    const answer = await this.#options.ask(node, 'watchCatalog', payload, signal);
    this.#apply(updateCodec.decode(answer));
    this.#source = node;
  }

  #apply(update: CatalogUpdate): void {
    const { feed, at, mark, users, isWhole, databases, tables } = update;
    const kept = new Set(tables.map(({ id }) => id));
    const dropped = isWhole ? this.replica.ids.filter((id) => !kept.has(id)) : update.dropped;
    const published = tables.map((info) => ({ info, layout: nowhere }));
    this.replica.apply({ databases, tables: published, dropped });
    this.#users = users ?? this.#users;
    this.#known = { feed, at };
    this.#mark = mark;
    this.#watch.notify();
  }

  /** The answer of the node that can change the metadata. */
  async changeThere(
    name: ChangeRequest['name'],
    args: readonly unknown[],
    signal: AbortSignal,
  ): Promise<ChangeAnswer> {
    const { clock, chance } = this.#options;
    const payload = changeCodec.encode({ name, args: withoutEnd(args) });
    let failedAt: number | undefined;
    let leader: string | undefined;
    for (let failures = 0; ; failures += 1) {
      const node = leader ?? this.#nodeToAsk(failures);
      let failure: Error;
      leader = undefined;
      try {
        if (node === undefined) throw new NotSentError('No node with data has been seen yet.');
        const sent = await this.#options.ask(node, 'changeCatalog', payload, signal);
        const answer = changedCodec.decode(sent);
        if (answer.type !== 'moved') return answer;
        leader = answer.leader;
        failure = new NotSentError('No leader of the metadata is known.');
      } catch (error) {
        signal.throwIfAborted();
        failure = error as Error;
      }
      failedAt ??= clock.now();
      const step = nextStep({
        operation: 'write',
        fault: faultOf(failure),
        failures,
        elapsedMs: clock.now() - failedAt,
        hasHint: leader !== undefined,
        random: chance.next(),
      });
      if (step.type === 'final') throw failure;
      if (step.type === 'retry') await clock.sleep(step.afterMs, signal);
      else throw notChanged(step.type === 'unknownOutcome', failure);
    }
  }

  #nodeToAsk(turn = 0): string | undefined {
    const sources = this.#options.sources();
    if (turn === 0 && this.#source !== undefined && sources.includes(this.#source))
      return this.#source;
    return sources[turn % Math.max(1, sources.length)];
  }

  /** Until this node has a state with the change, or none of the node that made it any more. */
  async #seen({ process, number }: StateMark, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const timer = this.#options.clock.timer(seenWithinMs, () => over.abort(tooLate));
    const either = AbortSignal.any([signal, over.signal]);
    const isBehind = (): boolean => this.#mark?.process === process && this.#mark.number < number;
    try {
      while (isBehind()) await this.#watch.changed(either);
    } catch (error) {
      if (error !== tooLate) throw error;
    } finally {
      timer.cancel();
    }
  }
}

/** JSON has nothing for arguments that are left out: they are the last ones. */
const withoutEnd = (args: readonly unknown[]): readonly unknown[] =>
  args.slice(0, args.findLastIndex((arg) => arg !== undefined) + 1);

const tooLate = new Error('this node does not see the change yet');

/** In RethinkDB's words. */
function notChanged(isUnknown: boolean, { message }: Error): RuntimeError {
  return isUnknown
    ? new RuntimeError(
        errorType.opIndeterminate,
        'The server lost contact with the node that changes the metadata: the operation may have been performed, or not.',
        [],
      )
    : new RuntimeError(
        errorType.opFailed,
        `The operation could not be performed: the node that changes the metadata is not available. ${message}`,
        [],
      );
}
