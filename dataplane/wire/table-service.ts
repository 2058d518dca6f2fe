import { PhotonError } from '../common/errors.ts';
import { withinAnswer } from './edit-answer.ts';
import type { Trust } from './edit-codec.ts';
import type { TableAccess } from './table-access.ts';
import { ShardElsewhereError } from './errors.ts';
import { decodeTableRequest, encodeTableAnswer } from './table-codec.ts';
import { failureOf } from './table-failure.ts';
import type {
  ScanAnswer,
  ScanRequest,
  ShardAddress,
  ShardMoved,
  TableMessageKind,
  TableMessages,
  TableRequest,
} from './table-messages.ts';

/** Answers the requests of other nodes, and of whatever sends bytes. */
export interface TableServiceOptions extends Trust {
  /** The shard; throws a ShardElsewhereError for one that another node leads, or that has another epoch. */
  shard(to: ShardAddress): TableAccess;
  /** Whether the sender may ask that; throws why not. */
  readonly allow?: (kind: TableMessageKind) => void;
  /** A failure that says that nothing was carried out, because the shard is not led here any more. */
  readonly movedBy?: (error: unknown, to: ShardAddress) => ShardMoved | undefined;
}

export async function answerTableRequest(
  bytes: Uint8Array,
  options: TableServiceOptions,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const request = decodeTableRequest(bytes, options);
  options.allow?.(request.kind);
  try {
    const body = await answerOf(request, options.shard(request.to), signal);
    return encodeTableAnswer(request.kind, { type: 'done', body } as never);
  } catch (error) {
    const moved =
      error instanceof ShardElsewhereError ? error.moved : options.movedBy?.(error, request.to);
    if (moved !== undefined) return encodeTableAnswer(request.kind, { type: 'moved', moved });
    // Anything else is a fault of this node.
    if (!(error instanceof PhotonError)) throw error;
    return encodeTableAnswer(request.kind, { type: 'failed', failure: failureOf(error) });
  }
}

type AnyAnswer = TableMessages[TableMessageKind]['answer'];

async function answerOf(
  request: TableRequest,
  table: TableAccess,
  signal: AbortSignal,
): Promise<AnyAnswer> {
  switch (request.kind) {
    case 'get':
      return { text: (await table.get(request.body.key, { signal }))?.text };
    case 'edit':
      return withinAnswer(await table.edit(request.body, signal));
    case 'scan':
      return batchOf(request.body, table, signal);
    case 'count':
      return { count: await table.count() };
    case 'sync':
      await table.sync();
      return undefined;
  }
}

async function batchOf(
  { index, range, order, after, until, rows, bytes, pushed }: ScanRequest,
  table: TableAccess,
  signal: AbortSignal,
): Promise<ScanAnswer> {
  const options = { after, until, pushed };
  const scan =
    index === undefined
      ? table.scan(range, order, options)
      : table.scanIndex(index, range, order, options);
  try {
    return await scan.next({ rows, bytes }, signal);
  } finally {
    scan.close();
  }
}
