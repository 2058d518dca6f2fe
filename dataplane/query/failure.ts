import { typeName } from '../datum/type-name.ts';
import type { Datum } from '../datum/datum.ts';
import { errorType, RuntimeError } from './errors.ts';

/** Errors of a running query, in RethinkDB's words. The term that fails adds its place. */
export const logic = (message: string): RuntimeError =>
  new RuntimeError(errorType.queryLogic, message, []);

export const nonExistence = (message: string): RuntimeError =>
  new RuntimeError(errorType.nonExistence, message, []);

export const opFailed = (message: string): RuntimeError =>
  new RuntimeError(errorType.opFailed, message, []);

export const resourceLimit = (message: string): RuntimeError =>
  new RuntimeError(errorType.resourceLimit, message, []);

export const wrongType = (expected: string, found: string): RuntimeError =>
  logic(`Expected type ${expected} but found ${found}.`);

export const wrongDatum = (expected: string, datum: Datum): RuntimeError =>
  datum === null
    ? nonExistence(`Expected type ${expected} but found NULL.`)
    : wrongType(expected, typeName(datum));
