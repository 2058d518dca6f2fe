import { PhotonError } from '../common/errors.ts';
import type { ShardMoved } from './table-messages.ts';

/** Bytes from a peer that are no frame: the connection they came over cannot be trusted any more. */
export class FrameError extends PhotonError {
  readonly code = 'wire.frame';
}

/** Bytes that are no request to a shard and no answer of one. */
export class TableMessageError extends PhotonError {
  readonly code = 'wire.table_message';
  constructor(reason: string) {
    super(`A message between a query and a shard cannot be read. ${reason}`);
  }
}

/** Of a failure of a scan: the leader of the shard has not built the index yet. */
export const indexBuildingCode = 'wire.index_building';

/** Another node answers for the shard. Nothing was carried out. */
export class ShardElsewhereError extends PhotonError {
  readonly code = 'wire.shard_elsewhere';
  readonly moved: ShardMoved;
  constructor(moved: ShardMoved) {
    super(
      moved.leader === undefined
        ? 'This node does not lead the shard, and knows no node that does.'
        : `Node ${moved.leader} leads the shard, not this one.`,
    );
    this.moved = moved;
  }
}
