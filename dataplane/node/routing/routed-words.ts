import { PeerError } from '../../net/errors.ts';
import {
  damagedDocumentCode,
  DamagedDocumentError,
  errorType,
  RuntimeError,
} from '../../query/errors.ts';
import type { ErrorType } from '../../query/errors.ts';
import { NotLeaderError, OutcomeUnknownError } from '../../replication/errors.ts';
import {
  PrimaryUnavailableError,
  ReplicaUnavailableError,
  WriteOutcomeUnknownError,
} from '../../router/errors.ts';
import type { BatchLimit, BatchSource, TableAccess } from '../../wire/table-access.ts';
import { TableError } from '../../wire/table-failure.ts';

/** What a routed table throws, in the words of the driver's protocol. */
const types: ReadonlySet<unknown> = new Set(Object.values(errorType));

function inRoutedWords(error: unknown): unknown {
  if (error instanceof WriteOutcomeUnknownError || error instanceof OutcomeUnknownError)
    return new RuntimeError(errorType.opIndeterminate, error.message, []);
  const isRefused =
    error instanceof PrimaryUnavailableError ||
    error instanceof ReplicaUnavailableError ||
    error instanceof NotLeaderError ||
    (error instanceof PeerError && error.peerCode === 'membership.role_refused');
  if (isRefused) return new RuntimeError(errorType.opFailed, error.message, []);
  if (!(error instanceof TableError)) return error;
  const { code, message, type } = error.failure;
  if (code === damagedDocumentCode) return new DamagedDocumentError(message);
  return types.has(type) ? new RuntimeError(type as ErrorType, message, []) : error;
}

async function shown<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw inRoutedWords(error);
  }
}

const shownScan = <T>(scan: BatchSource<T>): BatchSource<T> => ({
  next: (limit: BatchLimit, signal) => shown(() => scan.next(limit, signal)),
  close: () => scan.close(),
});

export const inWordsOfQueries = (table: TableAccess): TableAccess => ({
  get: (key, query) => {
    try {
      const row = table.get(key, query);
      return row instanceof Promise ? shown(() => row) : row;
    } catch (error) {
      throw inRoutedWords(error);
    }
  },
  scan: (range, order, options) => shownScan(table.scan(range, order, options)),
  scanIndex: (index, range, order, options) =>
    shownScan(table.scanIndex(index, range, order, options)),
  count: () => shown(() => table.count()),
  edit: (batch, signal) => shown(() => table.edit(batch, signal)),
  sync: () => shown(() => table.sync()),
});
