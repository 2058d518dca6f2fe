import { indexBuildingCode } from '../wire/errors.ts';
import { PhotonError } from '../common/errors.ts';

/** Error numbers of the protocol's `ErrorType`. */
export const errorType = {
  internal: 1_000_000,
  resourceLimit: 2_000_000,
  queryLogic: 3_000_000,
  nonExistence: 3_100_000,
  opFailed: 4_100_000,
  opIndeterminate: 4_200_000,
  user: 5_000_000,
  permission: 6_000_000,
} as const;
export type ErrorType = (typeof errorType)[keyof typeof errorType];

/** A step of a backtrace: the position of an argument or the name of an optional argument. */
export type Frame = number | string;

/** Refused before anything ran: an unknown term, a wrong number of arguments. */
export class CompileError extends PhotonError {
  override readonly code = 'query.compile';
  readonly backtrace: readonly Frame[];
  constructor(message: string, backtrace: Iterable<Frame>) {
    super(message);
    this.backtrace = [...backtrace];
  }
}

/** A query whose JSON holds what JSON does not have: a number beyond doubles, half a surrogate pair. */
export class MalformedQueryError extends PhotonError {
  override readonly code = 'query.malformed';
  constructor() {
    super('Client is buggy (failed to deserialize query).');
  }
}

export const damagedDocumentCode = 'query.damaged_document';

/** A query that failed while it ran. */
export class RuntimeError extends PhotonError {
  override readonly code: 'query.runtime' | typeof damagedDocumentCode | typeof indexBuildingCode =
    'query.runtime';
  readonly type: ErrorType;
  readonly backtrace: readonly Frame[];
  constructor(type: ErrorType, message: string, backtrace: readonly Frame[]) {
    super(message);
    this.type = type;
    this.backtrace = backtrace;
  }
}

/** A document that is stored and cannot be read. Its key says which one, so it may be replaced or deleted. */
export class DamagedDocumentError extends RuntimeError {
  override readonly code = damagedDocumentCode;
  constructor(message: string) {
    super(errorType.opFailed, message, []);
  }
}

/** A replica that leads has not ended the build of an index that another one had built. */
export class IndexBuildingError extends RuntimeError {
  override readonly code = indexBuildingCode;
  constructor(index: string, table: string) {
    const words = `Index \`${index}\` on table \`${table}\` was accessed before its construction was finished.`;
    super(errorType.opFailed, words, []);
  }
}

/** A function that came as data and that only the query itself can evaluate. */
export class NotEvaluableError extends PhotonError {
  override readonly code = 'query.not_evaluable';
  constructor(reason: string) {
    super(`The function cannot be evaluated apart from its query: ${reason}.`);
  }
}
