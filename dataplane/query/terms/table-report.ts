import type { Datum } from '../../datum/datum.ts';
import type { TableInfo } from '../environment.ts';
import { encodeHook } from '../function-blob.ts';
import { termText } from '../term-text.ts';
import { binaryDatum } from './binary.ts';

/** What a table is set to, and how it does: the rows of `table_config` and `table_status`. */

/** How databases and servers are named in a report (`identifier_format`). */
export type Identifiers = 'name' | 'uuid';

interface Server {
  readonly id: string;
  readonly name: string;
}

/** Null without a hook. */
export function writeHookDatum({ writeHook: hook }: TableInfo): Datum {
  if (hook === undefined) return null;
  const { definition } = hook;
  return {
    function: binaryDatum(encodeHook(JSON.parse(definition))),
    query: `setWriteHook(${termText(JSON.parse(definition))})`,
  };
}

export function tableConfig(
  info: TableInfo,
  { id, name }: Server,
  identifiers: Identifiers = 'name',
): Datum {
  const server = identifiers === 'uuid' ? id : name;
  return {
    db: identifiers === 'uuid' ? info.database.id : info.database.name,
    durability: info.durability,
    // Only where it is set: the others look as RethinkDB's.
    ...(info.expireAt === undefined ? {} : { expire_at: info.expireAt }),
    id: info.id,
    indexes: info.indexes.map((index) => index.name).sort(),
    name: info.name,
    primary_key: info.primaryKey,
    shards: Array.from({ length: info.shards }, () => ({
      nonvoting_replicas: [],
      primary_replica: server,
      replicas: [server],
    })),
    write_acks: info.writeAcks ?? 'majority',
    write_hook: writeHookDatum(info),
  };
}

export function tableStatus(
  info: TableInfo,
  { id, name }: Server,
  identifiers: Identifiers = 'name',
): Datum {
  const isReady = !info.isDamaged;
  const server = identifiers === 'uuid' ? id : name;
  return {
    db: identifiers === 'uuid' ? info.database.id : info.database.name,
    id: info.id,
    name: info.name,
    raft_leader: server,
    shards: Array.from({ length: info.shards }, () => ({
      primary_replicas: [server],
      replicas: [{ server, state: isReady ? 'ready' : 'damaged' }],
    })),
    status: {
      all_replicas_ready: isReady,
      ready_for_outdated_reads: isReady,
      ready_for_reads: isReady,
      ready_for_writes: isReady,
    },
  };
}
