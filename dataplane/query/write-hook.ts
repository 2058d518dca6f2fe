import type { Datum } from '../datum/datum.ts';
import { fieldOf, isObject } from '../datum/object.ts';
import type { TermFunction } from '../wire/table-edit.ts';
import type { Context } from './compiled.ts';
import type { TableInfo, WriteHook } from './environment.ts';
import { RuntimeError } from './errors.ts';
import { opFailed } from './failure.ts';
import { timeDatum } from './terms/time-value.ts';
import { datumOf } from './value-reading.ts';
import type { FunctionValue, Value } from './value.ts';

/**
 * The hook of a table: a function of a context, the old and the new document, through which every
 * write passes. What it answers is written in place of the new document, and is checked like it.
 */

/** The format of the hooks that this version sets. */
export const writeHookFormat = 1;

/** Hooks run in surroundings of their own: the limits of a query are not theirs. */
export const hookArrayLimit = 100_000;

export type Hooked = (old: Datum, proposed: Datum) => Datum | Promise<Datum>;

export interface AppliedHook {
  readonly apply: Hooked;
  /** As data; undefined when only the query can evaluate it. */
  readonly asData: TermFunction | undefined;
}

/** Undefined for a table that has none. */
export function writeHookOf(info: TableInfo, context: Context): AppliedHook | undefined {
  const { writeHook: hook, primaryKey } = info;
  if (hook === undefined) return undefined;
  const run = hookFunction(hook, info, context);
  return {
    apply: hookedBy((args) => run.call(args), { nowMs: context.nowMs, primaryKey }),
    asData: run.pure ? { term: hook.definition, captured: [] } : undefined,
  };
}

/** A hook by the function that it is, which is called with a context, the old and the new document. */
export function hookedBy(
  call: (args: readonly Datum[]) => Value | Promise<Value>,
  { nowMs, primaryKey }: { readonly nowMs: number; readonly primaryKey: string },
): Hooked {
  const timestamp = timeDatum(nowMs / 1000);
  return (old, proposed) => {
    const key = keyOf(proposed, primaryKey) ?? keyOf(old, primaryKey) ?? null;
    const result = evaluated(() => call([{ primary_key: key, timestamp }, old, proposed]));
    return result instanceof Promise
      ? result.then((datum) => keptKind(proposed, datum))
      : keptKind(proposed, result);
  };
}

const keyOf = (document: Datum, primaryKey: string): Datum | undefined =>
  isObject(document) ? fieldOf(document, primaryKey) : undefined;

/** Refuses writes rather than leaving out a hook that it cannot read. */
function hookFunction(hook: WriteHook, info: TableInfo, context: Context): FunctionValue {
  const name = `${info.database.name}.${info.name}`;
  const advice = 'Set the hook again, or write with `ignore_write_hook`.';
  if (hook.format !== writeHookFormat)
    throw opFailed(
      `The write hook of table \`${name}\` has format ${hook.format}, and this version reads format ${writeHookFormat}. ${advice}`,
    );
  try {
    return context.compileFunction(JSON.parse(hook.definition), {
      ...context,
      arrayLimit: hookArrayLimit,
      termOptions: new Map(),
    }).value;
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown';
    throw opFailed(`The write hook of table \`${name}\` cannot be read: ${reason} ${advice}`);
  }
}

/** An error of the function says that it comes from the hook; what stops the query goes through. */
function evaluated(run: () => Value | Promise<Value>): Datum | Promise<Datum> {
  const failed = (error: unknown): never => {
    if (!(error instanceof RuntimeError)) throw error;
    throw new RuntimeError(error.type, `Error in write hook: ${error.message}`, []);
  };
  try {
    const result = run();
    return result instanceof Promise ? result.then(datumOf).catch(failed) : datumOf(result);
  } catch (error) {
    return failed(error);
  }
}

/** A deletion stays one, and so does a write. */
function keptKind(proposed: Datum, result: Datum): Datum {
  if (proposed === null && result !== null)
    throw opFailed('A write hook function must not turn a deletion into a replace/insert.');
  if (proposed !== null && result === null)
    throw opFailed('A write hook function must not turn a replace/insert into a deletion.');
  return result;
}
