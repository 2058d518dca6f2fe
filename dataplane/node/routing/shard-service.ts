import type { Database } from '../../database/database.ts';
import { NodeQuarantinedError, RoleRefusedError } from '../../membership/errors.ts';
import type { Handler } from '../../membership/mesh.ts';
import { placementOf, shardsOf } from '../../metadata/shards.ts';
import { NotLeaderError } from '../../replication/errors.ts';
import type { OwnShards } from '../../router/peers.ts';
import { isForOthers } from '../../router/routed-shard.ts';
import { operationOf } from '../../router/shard-link.ts';
import { ShardMovedError } from '../../shard/write-gate.ts';
import { ShardElsewhereError } from '../../wire/errors.ts';
import type { TableAccess } from '../../wire/table-access.ts';
import type { ShardAddress, ShardMoved, TableMessageKind } from '../../wire/table-messages.ts';
import { answerTableRequest } from '../../wire/table-service.ts';
import { shardAccess } from '../served-table.ts';
import type { RequireRoom } from '../served-table.ts';

export interface ShardServiceOptions {
  readonly database: Database;
  readonly requireRoom: RequireRoom;
  /** Why other nodes get nothing from this one; undefined when they do. */
  readonly refusal: () => string | undefined;
}

/** Shards of this node for queries of other nodes, and for the router of this one. */
export class ShardService implements OwnShards {
  readonly node: string;
  readonly #database: Database;
  readonly #requireRoom: RequireRoom;
  readonly #refusal: () => string | undefined;

  constructor(node: string, { database, requireRoom, refusal }: ShardServiceOptions) {
    this.node = node;
    this.#database = database;
    this.#requireRoom = requireRoom;
    this.#refusal = refusal;
  }

  shard(to: ShardAddress): TableAccess | undefined {
    return shardAccess(this.#database, to, this.#requireRoom);
  }

  readonly read: Handler = async (payload, _peer, signal) => {
    this.#requireServing();
    return this.answer(payload, signal, (kind) => {
      if (operationOf(kind) === 'read') return;
      throw new RoleRefusedError(`A request to read a shard asks to "${kind}" it.`);
    });
  };

  readonly edit: Handler = async (payload, _peer, signal) => {
    this.#requireServing();
    return this.answer(payload, signal);
  };

  /** Nothing was carried out: the node that asks repeats its request at another one. */
  #requireServing(): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw new NodeQuarantinedError(refusal);
  }

  answer(
    payload: Uint8Array,
    signal: AbortSignal,
    allow?: (kind: TableMessageKind) => void,
  ): Promise<Uint8Array> {
    return answerTableRequest(
      payload,
      {
        // Documents of other nodes are checked here.
        believesChecks: false,
        shard: (to) => this.#required(to),
        movedBy: (error, to) => this.#movedBy(error, to),
        ...(allow === undefined ? {} : { allow }),
      },
      signal,
    );
  }

  #required(to: ShardAddress): TableAccess {
    const shard = this.shard(to);
    if (shard !== undefined) return shard;
    throw new ShardElsewhereError({ leader: this.#leaderOf(to), epoch: this.#epochOf(to) });
  }

  #leaderOf({ table, shard }: ShardAddress): string | undefined {
    const { tables } = this.#database.state;
    const record = Object.hasOwn(tables, table) ? tables[table] : undefined;
    const group = record === undefined ? undefined : shardsOf(record)[shard]?.group;
    const leader = group === undefined ? undefined : this.#database.replica(group)?.replicas.leader;
    return leader?.isHere === true ? undefined : leader?.node;
  }

  #movedBy(error: unknown, to: ShardAddress): ShardMoved | undefined {
    if (error instanceof NotLeaderError) return { leader: error.leader, epoch: this.#epochOf(to) };
    // Of an outdated read: another replica may have the index.
    if (isForOthers(error, to)) return { leader: undefined, epoch: this.#epochOf(to) };
    // The gate opens when the new map is there.
    if (error instanceof ShardMovedError) return { leader: undefined, epoch: this.#epochOf(to) };
    return undefined;
  }

  /** The map of a table that this node does not know (any more, or yet) is none to wait for. */
  #epochOf({ table }: ShardAddress): number {
    const { tables } = this.#database.state;
    const record = Object.hasOwn(tables, table) ? tables[table] : undefined;
    return record === undefined ? 0 : placementOf(record).epoch;
  }
}
