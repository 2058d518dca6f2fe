import type { TableAccess } from '../wire/table-access.ts';
import type { ShardAddress, TableMessageKind } from '../wire/table-messages.ts';

/** Other nodes, for requests to their shards. */
export interface ShardPeers {
  /**
   * Resolves with the bytes of the answer. Rejects with a NotSentError when nothing was carried out, and with an
   * AnswerLostError when that is unknown.
   */
  ask(
    node: string,
    request: { readonly kind: TableMessageKind; readonly bytes: Uint8Array },
    signal: AbortSignal,
  ): Promise<Uint8Array>;
}

/** Shards of this node. */
export interface OwnShards {
  readonly node: string;
  /**
   * Undefined when it has another epoch here, or another node leads it; for `outdated` reads any replica will do.
   */
  shard(to: ShardAddress): TableAccess | undefined;
}
