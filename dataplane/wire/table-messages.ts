import type { PushedScan } from './pushed-scan.ts';
import type {
  EncodedRange,
  IndexPosition,
  IndexRow,
  Order,
  ReadMode,
  Row,
} from './table-access.ts';
import type { EditBatch, EditOutcome } from './table-edit.ts';
import type { TableFailure } from './table-failure.ts';

/**
 * What is asked of a shard over a network. A scan is one request for each batch, which goes on behind the last row of
 * the one before: a shard keeps nothing between them. A request is cancelled by the frame that carries it.
 */
export interface TableMessages {
  readonly get: { readonly request: { readonly key: Uint8Array }; readonly answer: GetAnswer };
  readonly edit: { readonly request: EditBatch; readonly answer: readonly EditOutcome[] };
  readonly scan: { readonly request: ScanRequest; readonly answer: ScanAnswer };
  readonly count: { readonly request: undefined; readonly answer: { readonly count: number } };
  readonly sync: { readonly request: undefined; readonly answer: undefined };
}

export type TableMessageKind = keyof TableMessages;

/** Text of the document; undefined for none. */
interface GetAnswer {
  readonly text: string | undefined;
}

export interface ScanRequest {
  /** Undefined: the primary one. */
  readonly index: string | undefined;
  readonly range: EncodedRange;
  readonly order: Order;
  /** In an index: the row behind which it goes on. */
  readonly after: IndexPosition | undefined;
  /** In an index: the last row that belongs to it. */
  readonly until?: IndexPosition | undefined;
  readonly rows: number;
  readonly bytes: number;
  readonly pushed: PushedScan | undefined;
}

/** Undefined when there is nothing more. */
export type ScanAnswer = readonly (Row | IndexRow)[] | undefined;

/** Where a request goes, by the map of shards that its sender knows. */
export interface ShardAddress {
  /** The identifier of the table. */
  readonly table: string;
  readonly shard: number;
  /** Of the map. A shard that has another one refuses. */
  readonly epoch: number;
  /** Of reads; `single` without it. */
  readonly mode?: ReadMode | undefined;
}

export type TableRequest = {
  readonly [K in TableMessageKind]: {
    readonly to: ShardAddress;
    readonly kind: K;
    readonly body: TableMessages[K]['request'];
  };
}[TableMessageKind];

/** The shard is led by another node, or the sender knows another map than this node. Nothing was carried out. */
export interface ShardMoved {
  /** The node that leads it, as far as this one knows. */
  readonly leader: string | undefined;
  /** Of the map that this node has. */
  readonly epoch: number;
}

export type TableAnswer<K extends TableMessageKind> =
  | { readonly type: 'moved'; readonly moved: ShardMoved }
  | { readonly type: 'done'; readonly body: TableMessages[K]['answer'] }
  | { readonly type: 'failed'; readonly failure: TableFailure };
