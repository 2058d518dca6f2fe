import { PhotonError } from '../common/errors.ts';

/** What can happen to a request or to one of its edits. */
export interface TableFailure {
  /** Of the `PhotonError` that it was; `internal` for what should not happen. */
  readonly code: string;
  /** What the client sees. */
  readonly message: string;
}

export const failureOf = (error: unknown): TableFailure => ({
  code: error instanceof PhotonError ? error.code : 'internal',
  message: error instanceof Error ? error.message : String(error),
});

/** A failure that ends more than the edit that it is of. */
export class TableError extends PhotonError {
  override readonly code = 'wire.table';
  readonly failure: TableFailure;
  constructor(failure: TableFailure) {
    super(failure.message);
    this.failure = failure;
  }
}
