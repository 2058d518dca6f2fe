import type { Datum } from '../datum/datum.ts';
import { compile } from './compile.ts';
import { noScope } from './scope.ts';
import type { Context } from './compiled.ts';
import type { Node } from './scope.ts';
import type { GlobalOptions } from './engine.ts';
import { CompileError, RuntimeError } from './errors.ts';
import { about, logic } from './failure.ts';
import { anything, atLeast, bool, inert, option, useOutdated } from './options.ts';
import type { OptionValues } from './options.ts';
import type { OptionKind, OptionTable } from './option-table.ts';
import { after, eachOf, whenDone } from './maybe-async.ts';
import { definitions } from './terms/all.ts';
import { numberOf } from './value-reading.ts';
import type { Value } from './value.ts';

/**
 * Options of a whole query. Those of this table are about the query itself; every option of a term
 * can be given here too, and is then that of each term that has it and does not say otherwise.
 */
const defaultDatabase = 'test';
const arrayLimitDefault = 100_000;
const batchSecondsMax = 86_400;

const limit = (name: string): OptionKind<number> =>
  atLeast(1, (found) => `Illegal ${name} \`${found}\`.  (Must be >= 1.)`);

/** An array of a query is copied in one go: one of the longest takes milliseconds. */
const arrayLimitMax = 1_000_000;

const arrayLimit: OptionKind<number> = {
  allowed: `an integer of 1 to ${arrayLimitMax}`,
  read: (value, name) => {
    const found = limit('array size limit').read(value, name);
    if (found <= arrayLimitMax) return found;
    throw about(
      logic(`Illegal array size limit \`${found}\`.  (Must be <= ${arrayLimitMax}.)`),
      value,
    );
  },
};

const batchNumber = (name: string): OptionKind<number> =>
  atLeast(1, (found) => `${name} must be at least 1 (got \`${found}\`).`);

const batchSeconds: OptionKind<number> = {
  allowed: `a number of 0 to ${batchSecondsMax}`,
  read: (value) => {
    const seconds = numberOf(value);
    if (seconds < 0)
      throw about(logic(`max_batch_seconds must be positive (got \`${seconds}\`).`), value);
    if (seconds >= batchSecondsMax)
      throw about(
        logic(
          `max_batch_seconds is too large (got \`${seconds}\`, must be less than ${batchSecondsMax}).`,
        ),
        value,
      );
    return seconds;
  },
};

/** 0 for no limit. */
const querySeconds: OptionKind<number> = {
  allowed: 'a number of 0 or more',
  read: (value) => {
    const seconds = numberOf(value);
    if (seconds >= 0) return seconds;
    throw about(logic(`max_query_seconds must be positive (got \`${seconds}\`).`), value);
  },
};

const format = anything('a string');

/** What the query engine reads itself. */
const engineOptions = {
  array_limit: option(
    arrayLimit,
    'Elements of the longest array that the query may make.',
    arrayLimitDefault,
  ),
  max_query_seconds: option(
    querySeconds,
    'Seconds that the query may run, without the time in which it waits for its client; a number, and no term. 0 is the limit of the node (`max-query-seconds`), which no query exceeds.',
    0,
  ),
} as const;

/** What the connection reads. */
const sessionOptions = {
  noreply: option(bool, 'Whether the query is run without an answer.', false),
  profile: option(bool, 'Whether the answer has a (so far empty) profile.', false),
  max_batch_rows: option(batchNumber('max_batch_rows'), 'Rows of the largest batch.'),
  max_batch_bytes: option(batchNumber('max_batch_bytes'), 'Bytes of the largest batch.'),
  max_batch_seconds: option(batchSeconds, 'Time after which a batch is sent as it is.'),
  first_batch_scaledown_factor: option(
    batchNumber('first_batch_scaledown_factor'),
    'By how much the first batch is smaller than the others.',
  ),
} as const;

const inertOptions = {
  min_batch_rows: inert(
    batchNumber('min_batch_rows'),
    'Rows of the smallest batch. A batch is sent when it is full or its time is over.',
  ),
  changefeed_queue_size: inert(
    limit('changefeed queue size'),
    'Changes that wait for a slow reader of a changefeed. There are no changefeeds yet.',
  ),
  use_outdated: useOutdated,
  time_format: inert(format, 'How the driver shows times: it is the driver that reads it.'),
  binary_format: inert(format, 'How the driver shows binary data: it is the driver that reads it.'),
  group_format: inert(format, 'How the driver shows groups: it is the driver that reads it.'),
} as const;

export const globalOptionTable: OptionTable = {
  ...engineOptions,
  ...sessionOptions,
  ...inertOptions,
};

const termOptionNames: ReadonlySet<string> = new Set(
  [...definitions.values()].flatMap(({ options }) =>
    options === undefined ? [] : Object.keys(options.table),
  ),
);

/** Options of terms that functions of documents may have: those that neither read nor write. */
const functionOptionNames: ReadonlySet<string> = new Set(
  [...definitions.values()].flatMap(({ options, effects }) =>
    options === undefined || effects === true ? [] : Object.keys(options.table),
  ),
);

export type SessionOptions = OptionValues<typeof sessionOptions>;

const absentOptions = Object.freeze(
  Object.fromEntries(
    Object.entries(sessionOptions).map(([name, { otherwise }]) => [name, otherwise]),
  ),
) as unknown as SessionOptions;

/** What the connection needs to know. What an option may not hold, the engine refuses when it runs. */
export function readSessionOptions(given: GlobalOptions): SessionOptions {
  // Most queries have none of them.
  if (!Object.keys(given).some((name) => Object.hasOwn(sessionOptions, name))) return absentOptions;
  const values: Record<string, unknown> = {};
  for (const [name, declared] of Object.entries(sessionOptions)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    values[name] = declared.otherwise;
    if (!['boolean', 'number', 'string'].includes(typeof value)) continue;
    try {
      values[name] = declared.read(value as Datum, name);
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
    }
  }
  return values as SessionOptions;
}

type EngineValues = OptionValues<typeof engineOptions>;

export interface QueryOptions {
  readonly arrayLimit: number;
  readonly database: string;
  /** Given for the whole query, for every term that has an option of this name. */
  readonly termOptions: ReadonlyMap<string, Node>;
  /** Whether one of them changes what functions of documents answer. */
  readonly reachesFunctions: boolean;
}

const secondsName = 'max_query_seconds';

/** It is read before anything of the query is evaluated: what is no number is refused with the other options. */
export function secondsOf(given: GlobalOptions, most: number): number {
  const asked = given[secondsName];
  const seconds = typeof asked === 'number' && asked > 0 ? asked : 0;
  return seconds === 0 || most === 0 ? Math.max(seconds, most) : Math.min(seconds, most);
}

const noTermOptions: ReadonlyMap<string, Node> = new Map();

/** Checks all of them. Their values are terms; they see no table and no function around them. */
export function queryOptions(
  given: GlobalOptions,
  contextWith: (options: QueryOptions) => Context,
): QueryOptions | Promise<QueryOptions> {
  const database = databaseName(given['db']);
  const plain = {
    arrayLimit: arrayLimitDefault,
    database,
    termOptions: noTermOptions,
    reachesFunctions: false,
  };
  const names = Object.keys(given);
  if (names.length === 0 || (names.length === 1 && names[0] === 'db')) return plain;
  return optionsGiven(given, plain, contextWith(plain));
}

function optionsGiven(
  given: GlobalOptions,
  { database }: QueryOptions,
  bare: Context,
): QueryOptions | Promise<QueryOptions> {
  const termOptions = new Map<string, Node>();
  const values: Record<string, unknown> = {};
  for (const [name, { otherwise }] of Object.entries(engineOptions)) values[name] = otherwise;
  const read = eachOf(Object.keys(given), undefined, (name) => {
    if (name === 'db') return undefined;
    const term = given[name];
    const declared = Object.hasOwn(globalOptionTable, name) ? globalOptionTable[name] : undefined;
    if (declared === undefined && !termOptionNames.has(name))
      throw new CompileError(`Unrecognized global optional argument \`${name}\`.`, []);
    if (name === secondsName && typeof term === 'object')
      throw logic(`The global optional argument \`${name}\` must be a number.`);
    const node = compile(term, bare);
    if (termOptionNames.has(name)) termOptions.set(name, node);
    if (declared === undefined) return undefined;
    return whenDone(constantOf(node, name), (value) => {
      values[name] = declared.read(value, name);
    });
  });
  return after(read, () => {
    const { array_limit: arrayLimit } = values as EngineValues;
    const reachesFunctions = [...termOptions.keys()].some((name) => functionOptionNames.has(name));
    return { arrayLimit, database, termOptions, reachesFunctions };
  });
}

function constantOf(node: Node, name: string): Value | Promise<Value> {
  if (node.pure) return node.run(noScope);
  throw logic(`The global optional argument \`${name}\` must not read or write tables.`);
}

/** `db` comes as a term `[14, [name]]`. */
function databaseName(term: unknown): string {
  const name = Array.isArray(term) ? (term[1] as unknown[] | undefined)?.[0] : term;
  return typeof name === 'string' ? name : defaultDatabase;
}
