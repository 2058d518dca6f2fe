import type { Datum } from '../../datum/datum.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import type { TableInfo, TableSettings } from '../environment.ts';
import { logic, opFailed } from '../failure.ts';
import { atLeast, bool, define, oneOf, option } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { Term } from '../term-table.ts';
import { datumOf } from '../value-reading.ts';
import { DatabaseValue } from '../value.ts';
import type { Value } from '../value.ts';
import { checkPlacement, placementOptions } from './placement.ts';
import { expectTable } from './select.ts';
import { readiness, readinessIn, tableConfig } from './table-report.ts';
import { accepted } from '../system/accepted.ts';
import { refuseSystem } from '../system-database.ts';
import { statusOf } from './config.ts';
import { expireAtOption } from './tables.ts';

/** `reconfigure` and `rebalance`, of one table or of all tables of a database. */
const reconfigureOptions = {
  ...placementOptions,
  // Other than those of `tableCreate`: what is not given stays as it is.
  shards: option(placementOptions.shards, placementOptions.shards.about),
  dry_run: option(bool, 'Whether the answer says what would be changed, and nothing is.', false),
  emergency_repair: option(
    {
      allowed: '`"unsafe_rollback"`, `"unsafe_rollback_or_erase"`, `null`',
      read: (value): 'unsafe_rollback' | 'unsafe_rollback_or_erase' | undefined =>
        datumOf(value) === null ? undefined : repairMode.read(value, 'emergency_repair'),
    },
    'Brings a table back that lost most of its replicas; this version refuses it.',
  ),
  expire_at: expireAtOption,
} as const;
type ReconfigureCall = TermCall<OptionValues<typeof reconfigureOptions>>;

const repairMode = oneOf(
  ['unsafe_rollback', 'unsafe_rollback_or_erase'],
  () => '`emergency_repair` should be "unsafe_rollback" or "unsafe_rollback_or_erase"',
);

/** Without a target that is a database or a table there is nothing that it could mean. */
function expectTarget(name: string, target: Value | undefined): Value {
  if (target !== undefined) return target;
  throw logic(`\`${name}\` can only be called on a table or database.`);
}

const tables = (target: Value, { environment: { catalog } }: Context): readonly TableInfo[] =>
  target instanceof DatabaseValue
    ? catalog.tables(target.info.id)
    : [catalog.tableById(expectTable(target).info.id) ?? expectTable(target).info];

function refuseRepair(target: Value, options: ReconfigureCall['options']): never {
  const { shards, replicas, primary_replica_tag: primary, nonvoting_replica_tags: tags } = options;
  if ([shards, replicas, primary, tags].some((each) => each !== undefined))
    throw logic("In emergency repair mode, you can't specify shards, replicas, etc.");
  if (target instanceof DatabaseValue)
    throw logic(
      "Can't emergency repair an entire database at once; instead you should run `reconfigure()` on each table individually.",
    );
  throw opFailed("This table doesn't need to be repaired.");
}

async function reconfigure(call: ReconfigureCall): Promise<Value> {
  const { options, context } = call;
  const target = expectTarget('reconfigure', call.args[0]);
  if (options.emergency_repair !== undefined) refuseRepair(target, options);
  const replicas = checkPlacement({ ...options, shards: options.shards ?? 1 });
  const found = tables(target, context);
  for (const info of found) refuseSystem(info, "you can't configure the tables in it");
  if (options.expire_at !== undefined && target instanceof DatabaseValue)
    throw logic(
      "Can't set `expire_at` of an entire database at once; instead you should run `reconfigure()` on each table individually.",
    );
  const { server } = context.environment;
  const { dry_run: dryRun } = options;
  const before = dryRun ? [] : await statuses(found, context);
  const next: TableInfo[] = [];
  for (const info of found) next.push(await reconfigured(info, replicas, call));
  const after = dryRun ? [] : await statuses(next, context);
  return {
    config_changes: found.map((info, at) => ({
      new_val: tableConfig(next[at] ?? info, server),
      old_val: tableConfig(info, server),
    })),
    reconfigured: dryRun ? 0 : found.length,
    ...(dryRun ? {} : { status_changes: statusChanges(before, after) }),
  };
}

/** The table as it is (or would be) afterwards; the option `expire_at` is PhotonDB's own. */
async function reconfigured(
  info: TableInfo,
  replicas: number | undefined,
  { options, context }: ReconfigureCall,
): Promise<TableInfo> {
  const { shards = info.shards, expire_at: expireAt, dry_run: isDryRun } = options;
  const { catalog } = context.environment;
  const expiring = expireAt === undefined ? info.expireAt : (expireAt ?? undefined);
  // Whether there are places for the replicas is known before anything is changed.
  const wish = { shards, replicas, isDryRun: true };
  const planned = accepted(await catalog.placeReplicas(info.id, wish));
  if (isDryRun) return { ...planned, expireAt: expiring };
  const settings = settingsOf({ ...info, shards, expireAt: expiring });
  const configured = accepted(await catalog.configureTable(info.id, settings));
  if (replicas === undefined) return configured;
  return accepted(await catalog.placeReplicas(info.id, { replicas }));
}

const settingsOf = (info: TableInfo): TableSettings => ({
  name: info.name,
  database: info.database,
  durability: info.durability,
  writeAcks: info.writeAcks,
  shards: info.shards,
  expireAt: info.expireAt,
});

const statuses = (found: readonly TableInfo[], context: Context): Promise<Datum[]> =>
  Promise.all(found.map((info) => statusOf(info, context)));

const statusChanges = (before: readonly Datum[], after: readonly Datum[]): Datum =>
  after.map((status, at) => ({ new_val: status, old_val: before[at] ?? null }));

async function rebalance({ args: [target], context }: TermCall): Promise<Value> {
  const found = tables(expectTarget('rebalance', target), context);
  for (const info of found) refuseSystem(info, "you can't rebalance the tables in it");
  const before = await statuses(found, context);
  const { catalog } = context.environment;
  for (const { id } of found) accepted(await catalog.placeReplicas(id, { isBalanced: true }));
  const after = await statuses(found, context);
  return { rebalanced: found.length, status_changes: statusChanges(before, after) };
}

const waitOptions = {
  wait_for: option(
    oneOf(
      readiness,
      (given) =>
        `Unknown table readiness state: '${given}', must be one of '${readiness.slice(0, -1).join("', '")}', or '${readiness[3]}'`,
    ),
    'What the tables must be ready for.',
    'all_replicas_ready',
  ),
  timeout: option(
    atLeast(0, (given) => `Integer too small: ${given}`),
    'Seconds after which waiting fails; 0 for none.',
    0,
  ),
} as const;

/** Between two looks at what is waited for. */
const lookEveryMs = 100;

async function wait({
  args: [target],
  options: { wait_for: level, timeout },
  context,
}: TermCall<OptionValues<typeof waitOptions>>): Promise<Value> {
  const found = tables(expectTarget('wait', target), context);
  for (const info of found)
    refuseSystem(
      info,
      "the system tables in it are always available and don't need to be waited on",
    );
  const { environment, deadline } = context;
  const isOver = timeoutOf(timeout, environment);
  for (const info of found) {
    while (!(await isReady(info, level, context))) {
      if (isOver()) throw opFailed('Timed out while waiting for tables.');
      await environment.sleep(lookEveryMs, deadline.signal);
    }
  }
  return { ready: found.length };
}

function timeoutOf(seconds: number, environment: Context['environment']): () => boolean {
  const until = seconds === 0 ? Infinity : environment.now() + seconds * 1_000;
  return () => environment.now() >= until;
}

async function isReady(
  info: TableInfo,
  level: (typeof readiness)[number],
  context: Context,
): Promise<boolean> {
  const { isDamaged, database, name } = context.environment.catalog.tableById(info.id) ?? info;
  if (isDamaged)
    throw opFailed(
      `Table \`${database.name}.${name}\` is damaged, and will not be ready before it is repaired.`,
    );
  return readinessIn(await statusOf(info, context))[level];
}

export const reconfigureTerms: readonly TermEntry[] = [
  [
    Term.RECONFIGURE,
    define({ arity: [0, 1], options: reconfigureOptions, effects: true, run: reconfigure }),
  ],
  [Term.REBALANCE, { arity: [0, 1], effects: true, run: rebalance }],
  [Term.WAIT, define({ arity: [0, 1], options: waitOptions, effects: true, run: wait })],
];
