import { binaryBytes } from '../../datum/compare.ts';
import { closedTerm } from '../closed-function.ts';
import { determinism } from '../determinism.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import type { WriteHook } from '../environment.ts';
import { logic } from '../failure.ts';
import { decodeHook } from '../function-blob.ts';
import { Term } from '../term-table.ts';
import { wrongValue } from '../value-reading.ts';
import { FunctionValue, OpaqueValue } from '../value.ts';
import type { Value } from '../value.ts';
import { writeHookFormat } from '../write-hook.ts';
import { isBinary } from './binary.ts';
import { expectTable } from './select.ts';
import { writeHookDatum } from './table-report.ts';
import { accepted } from '../system/accepted.ts';

/** Setting, reading and removing the write hook of a table. */

async function setWriteHook({ args: [target, by = null], context }: TermCall): Promise<Value> {
  const { info } = expectTable(target);
  const { catalog } = context.environment;
  const before = catalog.tableById(info.id)?.writeHook;
  const hook = by === null ? undefined : hookOf(by, context);
  accepted(await catalog.setWriteHook(info.id, hook));
  if (hook === undefined) return { deleted: 1 };
  return before === undefined ? { created: 1 } : { replaced: 1 };
}

function hookOf(by: Value, context: Context): WriteHook {
  const term = by instanceof FunctionValue ? closedTerm(by) : storedTerm(by);
  const compiled = context.compileFunction(term, context);
  if (compiled.determinism !== determinism.always)
    throw logic(
      'Could not prove function deterministic.  Write hook functions must be deterministic.',
    );
  if (compiled.value.arity !== 3) throw logic('Write hook functions must expect 3 arguments.');
  return { format: writeHookFormat, definition: JSON.stringify(term) };
}

/** Of the bytes that `get_write_hook` answers. */
function storedTerm(value: Value): unknown {
  if (value instanceof OpaqueValue || !isBinary(value)) throw wrongValue('FUNCTION', value);
  const decoded = decodeHook(binaryBytes(value));
  if (decoded.type === 'decoded') return decoded.value;
  if (decoded.type === 'foreign')
    throw logic(
      'Cannot create a write hook except from a reql_write_hook_function returned from `get_write_hook`.',
    );
  throw logic(
    `Binary blob passed to set write hook could not be interpreted as a reql_write_hook_function (${decoded.reason}).`,
  );
}

function getWriteHook({ args: [target], context }: TermCall): Value {
  const { info } = expectTable(target);
  return writeHookDatum(context.environment.catalog.tableById(info.id) ?? info);
}

export const writeHookTerms: readonly TermEntry[] = [
  [Term.SET_WRITE_HOOK, { arity: [2, 2], effects: true, run: setWriteHook }],
  [Term.GET_WRITE_HOOK, { arity: [1, 1], effects: true, run: getWriteHook }],
];
