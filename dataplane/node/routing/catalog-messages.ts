import { codec, list, text, uuid } from '../../membership/messages.ts';
import type { Verifier } from '../../metadata/state.ts';
import type { TableInfo } from '../../query/environment.ts';
import type { CatalogChange } from '../workers/catalog-feed.ts';
import { catalogChanges } from '../workers/remote-catalog.ts';
import type { CatalogChangeName } from '../workers/remote-catalog.ts';

/** What a node without a replica of the metadata asks of one that has it, as JSON text. */

/** Where a watcher stands. */
export interface KnownCatalog {
  /** The feed of one watcher, in one life of the node that serves it. */
  readonly feed: string;
  /** How many changes of it the watcher has. */
  readonly at: number;
}

export interface WatchRequest {
  /** Absent: nothing yet. */
  readonly known?: KnownCatalog;
}

/** A state of the metadata, to find out whether a watcher has a change. */
export interface StateMark {
  /** Of the process that counts. */
  readonly process: string;
  readonly number: number;
}

export interface CatalogUpdate extends KnownCatalog, Omit<CatalogChange, 'tables'> {
  readonly tables: readonly TableInfo[];
  readonly mark: StateMark;
  /** Everything: what the watcher had is void. */
  readonly isWhole: boolean;
  /** All of them; absent when they are as before. */
  readonly users?: Readonly<Record<string, Verifier>>;
}

export interface ChangeRequest {
  /** `settle`: nothing is changed, and the answer comes when all nodes have the catalogue of now, or the one that is asked an entry. */
  readonly name: CatalogChangeName | 'settle';
  readonly args: readonly unknown[];
}

export interface ChangeAnswer {
  readonly type: 'done' | 'failed' | 'moved';
  /** Of `done`: what the catalogue answered. */
  readonly result?: unknown;
  /** Of `done`: a state that has the change. */
  readonly mark?: StateMark;
  /** Of `done`: an entry of the metadata's log, for nodes that have a replica of it. */
  readonly index?: number;
  /** Of `failed`: as between the processes of a node. */
  readonly failure?: unknown;
  /** Of `moved`: the node that can change the metadata, as far as it is known. */
  readonly leader?: string;
}

const count = { type: 'integer', minimum: 0 } as const;
const flag = { type: 'boolean' } as const;
const fields = (properties: object, optional: readonly string[] = []) => ({
  type: 'object',
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  properties,
});
const nameMax = 4_096;
const named = { id: text(64), name: text(nameMax) };
const known = { feed: uuid, at: count };
const mark = fields({ process: uuid, number: count });

const index = fields({
  name: text(nameMax),
  multi: flag,
  geo: flag,
  definition: { type: 'string' },
  ready: flag,
  progress: { type: 'number' },
});
const replicas = fields({ voters: list(text(64), 64), learners: list(text(64), 64) });
const slots = list({ type: 'array', items: count, minItems: 2, maxItems: 2 }, 4_096);
const placement = fields({
  epoch: count,
  shards: list(fields({ slots, replicas }, ['replicas']), 64),
});
const places = list(fields({ primary: fields(named), replicas: list(fields(named), 64) }), 64);
const table: Readonly<Record<keyof TableInfo, object>> & object = {
  ...named,
  database: fields(named),
  primaryKey: text(nameMax),
  durability: { enum: ['hard', 'soft'] },
  indexes: list(index, 10_000),
  shards: count,
  replicas: count,
  replication: { enum: ['sync', 'semi-sync', 'async'] },
  partition: { enum: ['hash', 'range', 'hybrid'] },
  isDamaged: flag,
  expireAt: text(nameMax),
  writeHook: fields({ format: count, definition: { type: 'string' } }),
  writeAcks: { enum: ['single', 'majority'] },
  places,
};
const verifier = fields({
  salt: text(1_024),
  iterations: count,
  storedKey: text(1_024),
  serverKey: text(1_024),
});
const itemsMax = 100_000;

export const watchCodec = codec<WatchRequest>('watchCatalog', { known: fields(known) }, ['known']);

export const updateCodec = codec<CatalogUpdate>(
  'catalog',
  {
    ...known,
    mark,
    isWhole: flag,
    databases: list(fields(named), itemsMax),
    tables: list(
      fields({ ...table, placement }, [
        'expireAt',
        'writeHook',
        'writeAcks',
        'placement',
        'places',
      ]),
      itemsMax,
    ),
    dropped: list(text(64), itemsMax),
    users: { type: 'object', additionalProperties: verifier },
  },
  ['databases', 'users'],
);

export const changeCodec = codec<ChangeRequest>('changeCatalog', {
  name: { enum: [...catalogChanges, 'settle'] },
  args: list({}, 8),
});

export const changedCodec = codec<ChangeAnswer>(
  'changedCatalog',
  {
    type: { enum: ['done', 'failed', 'moved'] },
    result: {},
    mark,
    index: count,
    failure: { type: 'object' },
    leader: text(64),
  },
  ['result', 'mark', 'index', 'failure', 'leader'],
);
