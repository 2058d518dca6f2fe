import { PhotonError } from '../common/errors.ts';

/** What can happen to a request or to one of its edits. */
export interface TableFailure {
  /** Of the `PhotonError` that it was; `internal` for what should not happen. */
  readonly code: string;
  /** What the client sees. */
  readonly message: string;
  /** Of an error with a type in the driver protocol: its number. */
  readonly type?: number;
}

export function failureOf(error: unknown): TableFailure {
  if (error instanceof TableError) return error.failure;
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof PhotonError)) return { code: 'internal', message };
  const { code } = error;
  return 'type' in error && typeof error.type === 'number'
    ? { code, message, type: error.type }
    : { code, message };
}

/** A failure that ends more than the edit that it is of. */
export class TableError extends PhotonError {
  override readonly code = 'wire.table';
  readonly failure: TableFailure;
  constructor(failure: TableFailure) {
    super(failure.message);
    this.failure = failure;
  }
}
