import type { Datum } from '../../datum/datum.ts';
import { isObject } from '../../datum/object.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import type { TableInfo } from '../environment.ts';
import { logic, opFailed } from '../failure.ts';
import { arrayOf, DatabaseValue, datumOf, integerOf, textOf, truth } from '../value.ts';
import type { Value } from '../value.ts';
import { expectTable } from './select.ts';
import { tableConfig, tableStatus } from './table-report.ts';
import { accepted, expireAtOf } from './tables.ts';

/**
 * `reconfigure` and `rebalance`. A table of this version is one shard with one replica: what asks for
 * that is accepted and changes nothing, everything else is refused by a sentence.
 */
const defaultTag = 'default';

const tables = (target: Value, { environment: { catalog } }: Context): readonly TableInfo[] =>
  target instanceof DatabaseValue
    ? catalog.tables(target.info.id)
    : [catalog.tableById(expectTable(target).info.id) ?? expectTable(target).info];

/** Number of replicas of each tag. */
function replicasOf(options: TermCall['options']): ReadonlyMap<string, number> {
  const [primary, nonvoting] = [
    options.get('primary_replica_tag'),
    options.get('nonvoting_replica_tags'),
  ];
  const given = datumOf(options.get('replicas') ?? 1);
  if (!isObject(given)) {
    for (const [name, option] of Object.entries({
      primary_replica_tag: primary,
      nonvoting_replica_tags: nonvoting,
    }))
      if (option !== undefined)
        throw logic(`\`replicas\` must be an OBJECT if \`${name}\` is specified.`);
    return new Map([[defaultTag, replicaCount(given)]]);
  }
  if (primary === undefined)
    throw logic('`primary_replica_tag` must be specified when `replicas` is an OBJECT.');
  const counts = new Map(Object.entries(given).map(([tag, count]) => [tag, replicaCount(count)]));
  checkTags(counts, textOf(primary), nonvoting);
  return counts;
}

function replicaCount(value: Datum): number {
  const count = integerOf(value);
  if (count < 0) throw logic("Can't have a negative number of replicas");
  return count;
}

function checkTags(
  counts: ReadonlyMap<string, number>,
  primary: string,
  nonvoting: Value | undefined,
): void {
  if (!counts.has(primary))
    throw opFailed(
      `Can't use server tag \`${primary}\` for primary replicas because you specified no replicas in server tag \`${primary}\`.`,
    );
  for (const each of nonvoting === undefined ? [] : arrayOf(nonvoting)) {
    const tag = textOf(each);
    if (counts.has(tag)) continue;
    throw opFailed(
      `You specified that the replicas in server tag \`${tag}\` should be non-voting, but you didn't specify a number of replicas in server tag \`${tag}\`.`,
    );
  }
}

/** Refuses what one server and one shard cannot be. */
function checkShape(shards: number, replicas: ReadonlyMap<string, number>): void {
  if (shards < 1) throw logic('Every table must have at least one shard.');
  const total = [...replicas.values()].reduce((sum, count) => sum + count, 0);
  if (total < 1)
    throw opFailed(
      'You must set `replicas` to at least one. `replicas` includes the primary replica; if there are zero replicas, there is nowhere to put the data.',
    );
  for (const [tag, count] of replicas) {
    const servers = tag === defaultTag ? 1 : 0;
    if (count <= servers) continue;
    throw opFailed(
      `Can't put ${count} replicas on servers with the tag \`${tag}\` because there are only ${servers} servers with the tag \`${tag}\`. It's impossible to have more replicas of the data than there are servers.`,
    );
  }
  if (shards !== 1)
    throw opFailed('This version keeps a table in one shard: leave out `shards`, or set it to 1.');
}

function refuseRepair(target: Value, options: TermCall['options'], repair: string): never {
  if (target instanceof DatabaseValue)
    throw logic(
      "Can't emergency repair an entire database at once; instead you should run `reconfigure()` on each table individually.",
    );
  if (repair !== 'unsafe_rollback' && repair !== 'unsafe_rollback_or_erase')
    throw logic('`emergency_repair` should be "unsafe_rollback" or "unsafe_rollback_or_erase"');
  if (options.has('shards') || options.has('replicas'))
    throw logic("In emergency repair mode, you can't specify shards, replicas, etc.");
  throw opFailed("This table doesn't need to be repaired.");
}

async function reconfigure(call: TermCall): Promise<Value> {
  const { args, options, context } = call;
  const [target = null] = args;
  const repair = datumOf(options.get('emergency_repair') ?? null);
  if (repair !== null) refuseRepair(target, options, textOf(repair));
  const replicas = replicasOf(options);
  checkShape(integerOf(options.get('shards') ?? 1), replicas);
  const found = tables(target, context);
  const { server } = context.environment;
  const dryRun = truth(options.get('dry_run') ?? false);
  const next = await withExpiry(call, found, dryRun);
  return {
    config_changes: found.map((info, at) => ({
      new_val: tableConfig(next[at] ?? info, server),
      old_val: tableConfig(info, server),
    })),
    reconfigured: dryRun ? 0 : found.length,
    ...(dryRun ? {} : { status_changes: statusChanges(found, context) }),
  };
}

/** The tables as they are (or would be) after the option `expire_at`, which is PhotonDB's own. */
async function withExpiry(
  { args: [target = null], options, context }: TermCall,
  found: readonly TableInfo[],
  dryRun: boolean,
): Promise<readonly TableInfo[]> {
  const option = options.get('expire_at');
  if (option === undefined) return found;
  const expireAt = expireAtOf(option);
  if (target instanceof DatabaseValue)
    throw logic(
      "Can't set `expire_at` of an entire database at once; instead you should run `reconfigure()` on each table individually.",
    );
  if (dryRun) return found.map((info) => ({ ...info, expireAt }));
  const { catalog } = context.environment;
  return Promise.all(
    found.map(async ({ id }) => accepted(await catalog.setExpireAt(id, expireAt))),
  );
}

const statusChanges = (found: readonly TableInfo[], { environment }: Context): Datum =>
  found
    .map((info) => tableStatus(info, environment.server))
    .map((status) => ({ new_val: status, old_val: status }));

function rebalance({ args: [target = null], context }: TermCall): Value {
  const found = tables(target, context);
  return { rebalanced: found.length, status_changes: statusChanges(found, context) };
}

export const reconfigureTerms: readonly TermEntry[] = [
  [
    176,
    {
      arity: [0, 1],
      options: [
        'shards',
        'replicas',
        'primary_replica_tag',
        'nonvoting_replica_tags',
        'dry_run',
        'emergency_repair',
        'expire_at',
      ],
      effects: true,
      run: reconfigure,
    },
  ],
  [179, { arity: [0, 1], effects: true, run: rebalance }],
];
