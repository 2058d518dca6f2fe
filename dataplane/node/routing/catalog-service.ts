import type { Chance } from '../../common/chance.ts';
import type { Clock } from '../../common/clock.ts';
import type { Database } from '../../database/database.ts';
import { MetadataWatch } from '../../database/metadata-watch.ts';
import { NodeQuarantinedError } from '../../membership/errors.ts';
import type { Handler } from '../../membership/mesh.ts';
import type { Catalog } from '../../query/environment.ts';
import { NotLeaderError } from '../../replication/errors.ts';
import { infoOf } from '../served-table.ts';
import { CatalogFeed } from '../workers/catalog-feed.ts';
import { failureOf } from '../workers/failures.ts';
import { besideRecord, nowhere } from '../workers/table-layout.ts';
import { changeCodec, changedCodec, updateCodec, watchCodec } from './catalog-messages.ts';
import type { CatalogUpdate, ChangeRequest, KnownCatalog, StateMark } from './catalog-messages.ts';

/** Progress of index builds, and damage, are no change of the metadata: they are looked at so often. */
const lookEveryMs = 500;
/** A watcher gets an answer at the latest after this time, so that both sides know of each other. */
const answerAfterMs = 10_000;
/** A change of the catalogue waits for watchers for this time at most. */
const settleMs = 1_000;
/** Nodes that watch. */
const watchersMax = 1_024;

interface Watcher {
  readonly id: string;
  readonly feed: CatalogFeed;
  users: Database['state']['users'] | undefined;
  at: number;
  /** Of the last answer, and of the last one that has arrived. */
  sent: number;
  acknowledged: number;
  /** Its last request has ended without an answer: it is gone. */
  isGone: boolean;
}

export interface CatalogServiceOptions {
  readonly database: Database;
  readonly catalog: Catalog;
  /** Resolves when everybody has the catalogue of now; with an index, when this node has that entry of the metadata. */
  readonly settle: (index: unknown) => Promise<void>;
  /** Why this node changes nothing for others; undefined when it does. */
  readonly refusal: () => string | undefined;
  readonly clock: Clock;
  readonly chance: Pick<Chance, 'uuid'>;
}

/** The catalogue of this node for nodes without a replica of the metadata: they follow it, and change it here. */
export class CatalogService {
  readonly #options: CatalogServiceOptions;
  readonly #process: string;
  /** By node; the one that asked longest ago first. */
  readonly #watchers = new Map<string, Watcher>();
  #state: Database['state'] | undefined;
  #stateNumber = 0;
  readonly #acknowledged = new MetadataWatch();

  constructor(options: CatalogServiceOptions) {
    this.#options = options;
    this.#process = options.chance.uuid();
  }

  readonly watch: Handler = async (payload, { id }, signal) => {
    const { known } = watchCodec.decode(payload);
    const { clock } = this.#options;
    const until = clock.now() + answerAfterMs;
    const { watcher, isNew } = this.#watcherOf(id, known);
    watcher.acknowledged = watcher.sent;
    this.#acknowledged.notify();
    for (;;) {
      const update = this.#update(watcher, isNew);
      const isChanged =
        update.mark.number !== watcher.sent ||
        update.databases !== undefined ||
        update.users !== undefined ||
        update.tables.length > 0 ||
        update.dropped.length > 0;
      const isCurrent = this.#watchers.get(id) === watcher;
      if (isNew || isChanged || !isCurrent || clock.now() >= until) {
        if (isNew || isChanged) watcher.at += 1;
        watcher.sent = update.mark.number;
        return updateCodec.encode({ ...update, at: watcher.at });
      }
      try {
        await this.#changed(signal);
      } catch (error) {
        watcher.isGone = true;
        this.#acknowledged.notify();
        throw error;
      }
    }
  };

  #changeNow(name: ChangeRequest['name'], args: readonly unknown[]): Promise<unknown> {
    const { catalog, settle } = this.#options;
    if (name === 'settle') return settle(args[0]);
    const change = catalog[name] as (...all: unknown[]) => Promise<unknown>;
    return change(...args);
  }

  /** Resolves when the nodes that watch have the catalogue of now, or do not answer. */
  async settled(): Promise<void> {
    const { number } = this.#mark();
    const isBehind = (): boolean =>
      [...this.#watchers.values()].some((one) => !one.isGone && one.acknowledged < number);
    const over = new AbortController();
    const timer = this.#options.clock.timer(settleMs, () => over.abort());
    while (isBehind() && !over.signal.aborted)
      await this.#acknowledged.changed(over.signal).catch(() => undefined);
    timer.cancel();
  }

  readonly change: Handler = async (payload) => {
    const { name, args } = changeCodec.decode(payload);
    const refusal = this.#options.refusal();
    if (refusal !== undefined && name !== 'settle') throw new NodeQuarantinedError(refusal);
    try {
      const result = await this.#changeNow(name, args);
      const index = this.#options.database.metadataIndex;
      return changedCodec.encode({ type: 'done', result, mark: this.#mark(), index });
    } catch (error) {
      if (error instanceof NotLeaderError) {
        const { leader } = error;
        return changedCodec.encode({ type: 'moved', ...(leader === undefined ? {} : { leader }) });
      }
      return changedCodec.encode({ type: 'failed', failure: failureOf(error) });
    }
  };

  /** A watcher whose last answer was lost begins again. */
  #watcherOf(
    id: string,
    known: KnownCatalog | undefined,
  ): { readonly watcher: Watcher; readonly isNew: boolean } {
    const found = this.#watchers.get(id);
    const isNew = found === undefined || found.id !== known?.feed || found.at !== known.at;
    const watcher = isNew ? this.#newWatcher() : found;
    this.#watchers.delete(id);
    this.#watchers.set(id, watcher);
    const [oldest] = this.#watchers.keys();
    if (this.#watchers.size > watchersMax && oldest !== undefined) this.#watchers.delete(oldest);
    return { watcher, isNew };
  }

  #newWatcher(): Watcher {
    const { database, chance } = this.#options;
    const feed = new CatalogFeed({
      state: () => database.state,
      info: (table) => infoOf(database, table),
      beside: (table) => besideRecord(database, table, false),
      layout: () => nowhere,
    });
    const counts = { at: 0, sent: 0, acknowledged: 0 };
    return { id: chance.uuid(), feed, users: undefined, isGone: false, ...counts };
  }

  /** What has changed since the last answer. */
  #update(watcher: Watcher, isWhole: boolean): CatalogUpdate {
    const mark = this.#mark();
    const { users } = this.#options.database.state;
    const changes = watcher.feed.changes();
    const isSame = users === watcher.users;
    watcher.users = users;
    return {
      feed: watcher.id,
      at: watcher.at,
      mark,
      isWhole,
      databases: changes?.databases,
      tables: changes?.tables.map(({ info }) => info) ?? [],
      dropped: changes?.dropped ?? [],
      ...(isSame ? {} : { users }),
    };
  }

  /** Of the state of now. Grows with each state that was marked. */
  #mark(): StateMark {
    const { state } = this.#options.database;
    if (state !== this.#state) this.#stateNumber += 1;
    this.#state = state;
    return { process: this.#process, number: this.#stateNumber };
  }

  /** At the next change of the metadata, or when it is time to look. */
  async #changed(signal: AbortSignal): Promise<void> {
    const { database, clock } = this.#options;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    try {
      await Promise.race([database.changed(either), clock.sleep(lookEveryMs, either)]);
    } finally {
      over.abort(new Error('the other one was first'));
    }
  }
}
