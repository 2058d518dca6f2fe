import { InvalidDatumError } from '../datum/errors.ts';
import { stringMax } from '../datum/limits.ts';
import { TableError } from '../wire/table-failure.ts';
import { DamagedDocumentError, damagedDocumentCode, errorType, RuntimeError } from './errors.ts';
import type { ErrorType } from './errors.ts';

/** Errors of a running query, in RethinkDB's words. The term that fails adds its place. */
export const logic = (message: string): RuntimeError =>
  new RuntimeError(errorType.queryLogic, message, []);

export const nonExistence = (message: string): RuntimeError =>
  new RuntimeError(errorType.nonExistence, message, []);

export const opFailed = (message: string): RuntimeError =>
  new RuntimeError(errorType.opFailed, message, []);

export const resourceLimit = (message: string): RuntimeError =>
  new RuntimeError(errorType.resourceLimit, message, []);

/** A string that a query makes. */
export function checkedLength(text: string): string {
  if (text.length <= stringMax) return text;
  throw resourceLimit(`String too long: a query makes strings of at most ${stringMax} characters.`);
}

/** A value that ReQL does not have, and nesting that no stack holds, are errors of the query like others. */
export function spoken(error: unknown): unknown {
  if (error instanceof InvalidDatumError) return logic(error.message);
  if (error instanceof TableError) return ofTable(error);
  // Limits come first wherever one is known; this is for what no limit foresees.
  return error instanceof RangeError && /call stack/.test(error.message)
    ? resourceLimit('Query too deeply nested: it needs more stack than there is.')
    : error;
}

const types: ReadonlySet<number> = new Set(Object.values(errorType));

/** What a shard elsewhere has said; what it says of itself is a fault there. */
function ofTable(error: TableError): RuntimeError {
  const { code, message, type } = error.failure;
  if (code === damagedDocumentCode) return new DamagedDocumentError(message);
  return type !== undefined && types.has(type)
    ? new RuntimeError(type as ErrorType, message, [])
    : opFailed(message);
}

/** Whether something that was asked for is not there: what `default` and `filter` forgive. */
export const isMissing = (error: unknown): boolean =>
  error instanceof RuntimeError && error.type === errorType.nonExistence;

/** What an error is about: when that is an argument of the term, the argument is its place. */
const subjects = new WeakMap<RuntimeError, unknown>();

export function about(error: RuntimeError, subject: unknown): RuntimeError {
  subjects.set(error, subject);
  return error;
}

export const isAbout = (error: RuntimeError, subject: unknown): boolean =>
  subjects.has(error) && Object.is(subjects.get(error), subject);
