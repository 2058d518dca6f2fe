import { PhotonError } from '../common/errors.ts';

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
