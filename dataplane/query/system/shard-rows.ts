import type { Datum } from '../../datum/datum.ts';
import { prettyText } from '../../datum/text.ts';
import { shardsMax } from '../../wire/table-access.ts';
import type { TableInfo } from '../environment.ts';
import type { ServerName } from '../node-report.ts';
import { RowReader } from './row-reader.ts';
import { named } from './system-table.ts';
import type { SystemView } from './system-table.ts';

/** The field `shards` of a row of `table_config`: which servers have each shard. */
export type Places = readonly (readonly string[])[];

interface Reading {
  readonly view: SystemView;
  /** What errors begin with. */
  readonly prefix: string;
}

/** Identifiers of servers for each shard, the primary first. */
export function placesIn(row: RowReader, { view, prefix }: Reading): Places {
  const shards = row.array('shards', 'In `shards`: ');
  const reading = { view, prefix: `${prefix}In \`shards\`: ` };
  const places = shards.map((shard) => placeIn(shard, reading));
  if (places.length === 0) throw row.failure('In `shards`: You must specify at least one shard.');
  if (places.length > shardsMax)
    throw row.failure(`In \`shards\`: Maximum number of shards is ${shardsMax}.`);
  return places;
}

function placeIn(shard: Datum, { view, prefix }: Reading): readonly string[] {
  const reader = new RowReader(shard, prefix);
  const replicas = serversIn(reader, 'replicas', view);
  if (replicas.length === 0)
    throw reader.failure('You must specify at least one replica for each shard.');
  const nonvoting = reader.has('nonvoting_replicas')
    ? serversIn(reader, 'nonvoting_replicas', view)
    : [];
  const primary = serverOf(reader.field('primary_replica'), reader, {
    view,
    where: 'In `primary_replica`: ',
  });
  const isThere = ({ id }: ServerName): boolean => replicas.some((each) => each.id === id);
  if (!isThere(primary))
    throw reader.failure(
      `The server listed in the \`primary_replica\` field (\`${primary.name}\`) must also appear in \`replicas\`.`,
    );
  if (nonvoting.some(({ id }) => id === primary.id))
    throw reader.failure(
      `The primary replica (\`${primary.name}\`) must not be a nonvoting replica.`,
    );
  const [first] = nonvoting;
  if (first !== undefined && !nonvoting.every(isThere))
    throw reader.failure(
      'Every server listed in `nonvoting_replicas` must also appear in `replicas`.',
    );
  if (first !== undefined)
    throw reader.failure(
      `In \`nonvoting_replicas\`: Server \`${first.name}\` cannot have a nonvoting replica: this version has none.`,
    );
  reader.end();
  return [primary.id, ...replicas.map(({ id }) => id).filter((id) => id !== primary.id)];
}

function serversIn(reader: RowReader, field: string, view: SystemView): ServerName[] {
  const where = `In \`${field}\`: `;
  const servers = reader.array(field, where).map((each) => serverOf(each, reader, { view, where }));
  const twice = servers.find(({ id }, at) => servers.findIndex((each) => each.id === id) < at);
  if (twice === undefined) return servers;
  throw reader.failure(`${where}Server \`${twice.name}\` is listed more than once.`);
}

function serverOf(
  value: Datum,
  reader: RowReader,
  { view, where }: { readonly view: SystemView; readonly where: string },
): ServerName {
  const { server, report } = view.environment;
  const found = (report.servers() ?? [server]).find((each) => value === named(each, view));
  if (found !== undefined) return found;
  if (typeof value !== 'string')
    throw reader.failure(`${where}Expected a server name; got ${prettyText(value)}`);
  if (view.identifiers === 'uuid')
    throw reader.failure(`${where}There is no server with UUID \`${value}\`.`);
  throw reader.failure(`${where}Server \`${value}\` does not exist or is not connected.`);
}

/** Whether the shards have the same primaries and replicas already. */
export function isPlacedSo({ places: current }: TableInfo, places: Places): boolean {
  // A table of one server has all of its shards there.
  if (current === undefined) return true;
  return (
    current.length === places.length &&
    places.every((wanted, at) => {
      const { primary, replicas = [] } = current[at] ?? {};
      const isSame = replicas.length === wanted.length && primary?.id === wanted[0];
      return isSame && replicas.every(({ id }) => wanted.includes(id));
    })
  );
}
