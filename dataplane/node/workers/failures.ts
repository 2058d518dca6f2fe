import { InvalidDatumError } from '../../datum/errors.ts';
import { DamagedDocumentError, errorType, RuntimeError } from '../../query/errors.ts';
import type { ErrorType, Frame } from '../../query/errors.ts';
import { ChannelClosedError, RemoteFailure } from '../../workers/errors.ts';

/** Errors of queries as data between core and query worker. What no client can cause keeps its message only. */
type Failure =
  | { readonly kind: 'damaged' | 'datum' | 'other'; readonly message: string }
  | {
      readonly kind: 'runtime';
      readonly message: string;
      readonly type: ErrorType;
      readonly backtrace: readonly Frame[];
    };

export function failureOf(error: unknown): Failure {
  const { message } = error as Error;
  if (error instanceof DamagedDocumentError) return { kind: 'damaged', message };
  if (error instanceof InvalidDatumError) return { kind: 'datum', message };
  if (!(error instanceof RuntimeError)) return { kind: 'other', message };
  return { kind: 'runtime', message, type: error.type, backtrace: error.backtrace };
}

/** A fault of this program: no client can cause it. The end of a client, or of its worker, is none. */
export const isFault = (error: unknown): boolean =>
  failureOf(error).kind === 'other' && !(error instanceof ChannelClosedError);

const types: ReadonlySet<unknown> = new Set(Object.values(errorType));
const isFrame = (value: unknown): boolean => typeof value === 'number' || typeof value === 'string';

/** The error that a failure stands for. The bytes come from another process, and are not believed. */
export function errorOf(failure: unknown): Error {
  const { kind, message, type, backtrace } = (failure ?? {}) as Record<string, unknown>;
  const text = typeof message === 'string' ? message : 'The failure cannot be read.';
  if (kind === 'damaged') return new DamagedDocumentError(text);
  if (kind === 'datum') return new InvalidDatumError(text);
  if (kind !== 'runtime' || !types.has(type) || !Array.isArray(backtrace)) return new Error(text);
  return new RuntimeError(type as ErrorType, text, backtrace.filter(isFrame) as Frame[]);
}

/** What the other side has thrown, as if it had been thrown here. */
export const thrownHere = <T>(answer: Promise<T>): Promise<T> => answer.catch(thrown);

/** The second argument of `then`. */
export function thrown(error: unknown): never {
  throw error instanceof RemoteFailure ? errorOf(error.failure) : error;
}
