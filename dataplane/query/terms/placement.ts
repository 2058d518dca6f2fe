import type { Datum } from '../../datum/datum.ts';
import { isObject } from '../../datum/object.ts';
import { prettyText } from '../../datum/text.ts';
import { typeName } from '../../datum/type-name.ts';
import { shardsMax } from '../../wire/table-access.ts';
import { about, logic, opFailed } from '../failure.ts';
import { atLeast, option, text } from '../options.ts';
import type { OptionValues } from '../options.ts';
import { arrayOf, datumOf, integerOf, textOf } from '../value-reading.ts';
import type { Value } from '../value.ts';

/** Where a table lies: `tableCreate` and `reconfigure`. Every server has the tag `default`, and no other one. */
const defaultTag = 'default';

type Replicas = number | ReadonlyMap<string, number>;

export const placementOptions = {
  shards: option(
    atLeast(1, () => 'Every table must have at least one shard.'),
    'How many shards, up to 64.',
    1,
  ),
  replicas: option<Replicas>(
    { allowed: 'an integer, an object of server tags and integers', read: replicasOf },
    'How many replicas each shard has. Without it a new table has 3, or as many as there are servers.',
  ),
  primary_replica_tag: option(text, 'The server tag of the primary replicas.'),
  nonvoting_replica_tags: option(
    {
      allowed: 'an array of strings',
      read: (value): readonly string[] => arrayOf(value).map(textOf),
    },
    'Server tags whose replicas do not vote.',
  ),
} as const;

type Placement = OptionValues<typeof placementOptions>;

/** Of each tag, or of all together. */
function replicasOf(value: Value): Replicas {
  const datum = datumOf(value);
  if (isObject(datum))
    return new Map(Object.entries(datum).map(([tag, count]) => [tag, replicaCount(count)]));
  if (typeof datum === 'number') return replicaCount(datum);
  throw about(
    logic(`Expected type OBJECT or NUMBER but found ${typeName(datum)}:\n${prettyText(datum)}`),
    value,
  );
}

function replicaCount(value: Datum): number {
  const count = integerOf(value);
  if (count < 0) throw logic("Can't have a negative number of replicas");
  return count;
}

/** Number of replicas of each tag. */
function countsOf(options: Placement): ReadonlyMap<string, number> {
  const { replicas, primary_replica_tag: primary, nonvoting_replica_tags: nonvoting } = options;
  if (replicas === undefined) {
    const counts = new Map([[defaultTag, 1]]);
    checkTags(counts, primary ?? defaultTag, nonvoting ?? []);
    return counts;
  }
  if (typeof replicas === 'number') {
    for (const name of ['primary_replica_tag', 'nonvoting_replica_tags'] as const)
      if (options[name] !== undefined)
        throw logic(`\`replicas\` must be an OBJECT if \`${name}\` is specified.`);
    return new Map([[defaultTag, replicas]]);
  }
  if (primary === undefined)
    throw logic('`primary_replica_tag` must be specified when `replicas` is an OBJECT.');
  checkTags(replicas, primary, nonvoting ?? []);
  return replicas;
}

function checkTags(
  counts: ReadonlyMap<string, number>,
  primary: string,
  nonvoting: readonly string[],
): void {
  if (!counts.has(primary))
    throw opFailed(
      `Can't use server tag \`${primary}\` for primary replicas because you specified no replicas in server tag \`${primary}\`.`,
    );
  for (const tag of nonvoting) {
    const count = counts.get(tag);
    // The primary replica votes in any case.
    if (count !== undefined && count > (tag === primary ? 1 : 0))
      throw opFailed(
        `The replicas in server tag \`${tag}\` cannot be non-voting: this version has no such replicas. Leave the tag out of \`nonvoting_replica_tags\`.`,
      );
    if (count !== undefined) continue;
    throw opFailed(
      `You specified that the replicas in server tag \`${tag}\` should be non-voting, but you didn't specify a number of replicas in server tag \`${tag}\`.`,
    );
  }
}

/** In RethinkDB's words. */
export const tooManyReplicas = (count: number, servers: number, tag = defaultTag): string =>
  `Can't put ${count} replicas on servers with the tag \`${tag}\` because there are only ${servers} servers with the tag \`${tag}\`. It's impossible to have more replicas of the data than there are servers.`;

/**
 * Refuses what cannot be. Answers the number of replicas, undefined when none was asked for: the catalogue, which knows
 * the servers, decides about it.
 */
export function checkPlacement(options: Placement): number | undefined {
  const replicas = countsOf(options);
  const total = [...replicas.values()].reduce((sum, count) => sum + count, 0);
  if (total < 1)
    throw opFailed(
      'You must set `replicas` to at least one. `replicas` includes the primary replica; if there are zero replicas, there is nowhere to put the data.',
    );
  for (const [tag, count] of replicas)
    if (tag !== defaultTag && count > 0) throw opFailed(tooManyReplicas(count, 0, tag));
  if (options.shards > shardsMax) throw opFailed(`Maximum number of shards is ${shardsMax}.`);
  return options.replicas === undefined ? undefined : total;
}
