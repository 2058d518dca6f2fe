import type { Datum } from '../../datum/datum.ts';
import type { TableInfo } from '../environment.ts';
import { encodeHook } from '../function-blob.ts';
import type { ReplicaState, ServerName, ShardReport } from '../node-report.ts';
import { termText } from '../term-text.ts';
import { binaryDatum } from './binary.ts';

/** What a table is set to, and how it does: the rows of `table_config` and `table_status`. */

/** How databases and servers are named in a report (`identifier_format`). */
export type Identifiers = 'name' | 'uuid';

/** Null without a hook. */
export function writeHookDatum({ writeHook: hook }: TableInfo): Datum {
  if (hook === undefined) return null;
  const { definition } = hook;
  return {
    function: binaryDatum(encodeHook(JSON.parse(definition))),
    query: `setWriteHook(${termText(JSON.parse(definition))})`,
  };
}

const shownBy =
  (identifiers: Identifiers) =>
  ({ id, name }: ServerName): string =>
    identifiers === 'uuid' ? id : name;

export function tableConfig(
  info: TableInfo,
  server: ServerName,
  identifiers: Identifiers = 'name',
): Datum {
  const shown = shownBy(identifiers);
  const here = { primary: server, replicas: [server] };
  const places = info.places ?? Array.from({ length: info.shards }, () => here);
  return {
    db: shown(info.database),
    durability: info.durability,
    // Only where it is set: the others look as RethinkDB's.
    ...(info.expireAt === undefined ? {} : { expire_at: info.expireAt }),
    id: info.id,
    indexes: info.indexes.map((index) => index.name).sort(),
    name: info.name,
    primary_key: info.primaryKey,
    shards: places.map(({ primary, replicas }) => ({
      nonvoting_replicas: [],
      primary_replica: shown(primary),
      replicas: replicas.map(shown),
    })),
    write_acks: info.writeAcks ?? 'majority',
    write_hook: writeHookDatum(info),
  };
}

/** Of a table on the server that is asked. */
function shardsHere({ isDamaged, shards }: TableInfo, server: ServerName): readonly ShardReport[] {
  const state = isDamaged ? 'damaged' : 'ready';
  return Array.from({ length: shards }, () => ({
    primary: server,
    replicas: [{ server, state }],
  }));
}

export const readiness = [
  'ready_for_outdated_reads',
  'ready_for_reads',
  'ready_for_writes',
  'all_replicas_ready',
] as const;

type Readiness = { readonly [Level in (typeof readiness)[number]]: boolean };

/** What a row of `table_status` says. */
export function readinessIn(row: Datum): Readiness {
  const { status } = row as unknown as { readonly status: Readiness };
  return status;
}

function readinessOf({ isDamaged }: TableInfo, shards: readonly ShardReport[]): Readiness {
  const isLed = !isDamaged && shards.every(({ primary }) => primary !== undefined);
  return {
    all_replicas_ready:
      isLed && shards.every(({ replicas }) => replicas.every(({ state }) => state === 'ready')),
    ready_for_outdated_reads: !isDamaged && shards.every(hasReader),
    ready_for_reads: isLed,
    ready_for_writes: isLed,
  };
}

const readers: readonly ReplicaState[] = ['ready', 'waiting_for_primary', 'waiting_for_quorum'];
const hasReader = ({ primary, replicas }: ShardReport): boolean =>
  primary !== undefined || replicas.some(({ state }) => readers.includes(state));

export interface StatusOptions {
  readonly server: ServerName;
  readonly identifiers?: Identifiers;
  /** Of tables with places. */
  readonly shards?: readonly ShardReport[] | undefined;
}

export function tableStatus(
  info: TableInfo,
  { server, identifiers = 'name', shards = shardsHere(info, server) }: StatusOptions,
): Datum {
  const shown = shownBy(identifiers);
  const primary = shards[0]?.primary;
  return {
    db: shown(info.database),
    id: info.id,
    name: info.name,
    raft_leader: primary === undefined ? null : shown(primary),
    shards: shards.map((shard) => ({
      primary_replicas: shard.primary === undefined ? [] : [shown(shard.primary)],
      replicas: shard.replicas.map(({ server: each, state }) => ({
        server: shown(each),
        state,
      })),
    })),
    status: { ...readinessOf(info, shards) },
  };
}
