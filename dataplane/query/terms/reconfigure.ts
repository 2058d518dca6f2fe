import type { Datum } from '../../datum/datum.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import type { TableInfo, TableSettings } from '../environment.ts';
import { logic, opFailed } from '../failure.ts';
import { atLeast, bool, define, inert, oneOf, option } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { Term } from '../term-table.ts';
import { datumOf } from '../value-reading.ts';
import { DatabaseValue } from '../value.ts';
import type { Value } from '../value.ts';
import { checkPlacement, placementOptions } from './placement.ts';
import { expectTable } from './select.ts';
import { tableConfig, tableStatus } from './table-report.ts';
import { accepted } from '../system/accepted.ts';
import { refuseSystem } from '../system-database.ts';
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
    'Brings a table back that lost most of its replicas. No table of this version needs it.',
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
  checkPlacement({ ...options, shards: options.shards ?? 1 }, 1);
  const found = tables(target, context);
  for (const info of found) refuseSystem(info, "you can't configure the tables in it");
  const { server } = context.environment;
  const { dry_run: dryRun } = options;
  const next = await reconfigured(call, found, target);
  return {
    config_changes: found.map((info, at) => ({
      new_val: tableConfig(next[at] ?? info, server),
      old_val: tableConfig(info, server),
    })),
    reconfigured: dryRun ? 0 : found.length,
    ...(dryRun ? {} : { status_changes: statusChanges(found, context) }),
  };
}

/** The tables as they are (or would be) afterwards; the option `expire_at` is PhotonDB's own. */
async function reconfigured(
  { options, context }: ReconfigureCall,
  found: readonly TableInfo[],
  target: Value,
): Promise<readonly TableInfo[]> {
  const { shards, expire_at: expireAt, dry_run: dryRun } = options;
  if (expireAt !== undefined && target instanceof DatabaseValue)
    throw logic(
      "Can't set `expire_at` of an entire database at once; instead you should run `reconfigure()` on each table individually.",
    );
  const next = found.map((info) => ({
    ...info,
    shards: shards ?? info.shards,
    expireAt: expireAt === undefined ? info.expireAt : (expireAt ?? undefined),
  }));
  if (dryRun) return next;
  const { catalog } = context.environment;
  return Promise.all(
    next.map(async (info) => accepted(await catalog.configureTable(info.id, settingsOf(info)))),
  );
}

const settingsOf = (info: TableInfo): TableSettings => ({
  name: info.name,
  database: info.database,
  durability: info.durability,
  writeAcks: info.writeAcks,
  shards: info.shards,
  expireAt: info.expireAt,
});

const statusChanges = (found: readonly TableInfo[], { environment }: Context): Datum =>
  found
    .map((info) => tableStatus(info, environment.server))
    .map((status) => ({ new_val: status, old_val: status }));

function rebalance({ args: [target], context }: TermCall): Value {
  const found = tables(expectTarget('rebalance', target), context);
  for (const info of found) refuseSystem(info, "you can't rebalance the tables in it");
  return { rebalanced: found.length, status_changes: statusChanges(found, context) };
}

const readiness = [
  'ready_for_outdated_reads',
  'ready_for_reads',
  'ready_for_writes',
  'all_replicas_ready',
] as const;

const waitOptions = {
  wait_for: inert(
    oneOf(
      readiness,
      (found) =>
        `Unknown table readiness state: '${found}', must be one of '${readiness.slice(0, -1).join("', '")}', or '${readiness[3]}'`,
    ),
    'What the tables must be ready for. In this version they are ready for everything at once.',
  ),
  timeout: inert(
    atLeast(0, (found) => `Integer too small: ${found}`),
    'Seconds after which waiting fails. A table of this version is ready, or damaged and never will be.',
  ),
} as const;

function wait({ args: [target], context }: TermCall): Value {
  const found = tables(expectTarget('wait', target), context);
  for (const info of found)
    refuseSystem(
      info,
      "the system tables in it are always available and don't need to be waited on",
    );
  const damaged = found.find(({ isDamaged }) => isDamaged);
  if (damaged !== undefined)
    throw opFailed(
      `Table \`${damaged.database.name}.${damaged.name}\` is damaged, and will not be ready before it is repaired.`,
    );
  return { ready: found.length };
}

export const reconfigureTerms: readonly TermEntry[] = [
  [
    Term.RECONFIGURE,
    define({ arity: [0, 1], options: reconfigureOptions, effects: true, run: reconfigure }),
  ],
  [Term.REBALANCE, { arity: [0, 1], effects: true, run: rebalance }],
  [Term.WAIT, define({ arity: [0, 1], options: waitOptions, effects: true, run: wait })],
];
