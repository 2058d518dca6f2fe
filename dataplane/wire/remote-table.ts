import { successor } from '../common/bytes.ts';
import type { PushedScan } from './pushed-scan.ts';
import type {
  BatchLimit,
  BatchSource,
  EncodedRange,
  IndexPosition,
  IndexRow,
  Order,
  Row,
  TableAccess,
} from './table-access.ts';
import { ShardElsewhereError } from './errors.ts';
import { decodeTableAnswer, encodeTableRequest } from './table-codec.ts';
import { TableError } from './table-failure.ts';
import type {
  ShardAddress,
  TableMessageKind,
  TableMessages,
  TableRequest,
} from './table-messages.ts';

/** A shard behind a link, as if it were here: each call is one message, each batch of a scan another one. */
export interface TableLink {
  /** Resolves with the bytes of the answer. */
  request(bytes: Uint8Array, signal: AbortSignal, kind: TableMessageKind): Promise<Uint8Array>;
}

type Ask = <K extends TableMessageKind>(
  kind: K,
  body: TableMessages[K]['request'],
  signal: AbortSignal,
) => Promise<TableMessages[K]['answer']>;

/** `signal`: of the link, for what no query waits for alone. */
export function remoteTable(to: ShardAddress, link: TableLink, signal: AbortSignal): TableAccess {
  const ask: Ask = async (kind, body, asked) => {
    const bytes = encodeTableRequest({ to, kind, body } as TableRequest);
    const answer = decodeTableAnswer(kind, await link.request(bytes, asked, kind));
    if (answer.type === 'failed') throw new TableError(answer.failure);
    if (answer.type === 'moved') throw new ShardElsewhereError(answer.moved);
    return answer.body;
  };
  return {
    get: async (key, query) => {
      const { text } = await ask('get', { key }, query.signal);
      return text === undefined ? undefined : { key, text };
    },
    scan: (range, order, options) =>
      new RemoteScan<Row>(
        ask,
        { index: undefined, range, order, pushed: options?.pushed },
        undefined,
      ),
    scanIndex: (index, range, order, options) =>
      new RemoteScan(
        ask,
        { index, range, order, pushed: options?.pushed, until: options?.until },
        options?.after,
      ),
    count: async () => (await ask('count', undefined, signal)).count,
    edit: (batch, asked) => ask('edit', batch, asked),
    sync: () => ask('sync', undefined, signal),
  };
}

interface ScanOf {
  readonly index: string | undefined;
  readonly range: EncodedRange;
  readonly order: Order;
  readonly pushed: PushedScan | undefined;
  readonly until?: IndexPosition | undefined;
}

class RemoteScan<T extends Row> implements BatchSource<T> {
  readonly #ask: Ask;
  #of: ScanOf;
  #after: IndexPosition | undefined;
  #isOver = false;

  constructor(ask: Ask, of: ScanOf, after: IndexPosition | undefined) {
    this.#ask = ask;
    this.#of = of;
    this.#after = after;
  }

  async next(limit: BatchLimit, signal: AbortSignal): Promise<readonly T[] | undefined> {
    if (this.#isOver) return undefined;
    const body = {
      ...this.#of,
      after: this.#after,
      rows: wholeOf(limit.rows),
      bytes: wholeOf(limit.bytes),
    };
    const rows = (await this.#ask('scan', body, signal)) as readonly T[] | undefined;
    const last = rows?.at(-1);
    if (last === undefined) this.#isOver = true;
    else this.#goBehind(last);
    return rows;
  }

  close(): void {
    this.#isOver = true;
  }

  #goBehind(last: Row): void {
    const { index, range, order } = this.#of;
    if (index !== undefined) this.#after = last as IndexRow;
    else if (order === 'ascending')
      this.#of = { ...this.#of, range: { ...range, start: successor(last.key) } };
    else this.#of = { ...this.#of, range: { ...range, end: last.key } };
  }
}

/** A limit may be infinite. */
const wholeOf = (limit: number): number => Math.min(Math.floor(limit), Number.MAX_SAFE_INTEGER);
