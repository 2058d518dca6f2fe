import { TableMessageError } from './errors.ts';
import { foldTypes, rowTerms } from './pushed-scan.ts';
import type { PushedScan, ScanFold, ScanStep } from './pushed-scan.ts';
import type { CapturedValue, EditValue, TermFunction, ValueText } from './table-edit.ts';

/**
 * The operations of a scan as text, which is small beside what it is about. Guarded invariant: any text gives
 * operations of the declared types, or a typed error.
 */
export const pushedText = (pushed: PushedScan): string => JSON.stringify(pushed);

/** A query has fewer. */
const partsMax = 10_000;

export function pushedOf(text: string): PushedScan {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused('JSON', text);
  }
  const { steps, fold, context } = shapeOf(value);
  const { nowMs, arrayLimit } = shapeOf(context);
  return {
    steps: listOf(steps, stepOf),
    fold: fold === undefined ? undefined : foldOf(fold),
    context: { nowMs: numberOf(nowMs), arrayLimit: numberOf(arrayLimit) },
  };
}

function stepOf(value: unknown): ScanStep {
  const { type, by, skipsMissing, term, args } = shapeOf(value);
  switch (type) {
    case 'filter':
      return { type, by: valueOf(by), skipsMissing: skipsMissing === true };
    case 'map':
    case 'concatMap':
      return { type, by: functionOf(by) };
    case 'apply':
      return { type, term: nameOf(term, rowTerms), args: listOf(args, valueTextOf) };
    default:
      throw refused('a step of a scan', type);
  }
}

function foldOf(value: unknown): ScanFold {
  const { type, by, group } = shapeOf(value);
  const read = {
    type: nameOf(type, foldTypes),
    by: by === undefined ? undefined : valueOf(by),
  };
  if (group === undefined) return { ...read, group: undefined };
  const { by: keys, multi } = shapeOf(group);
  return { ...read, group: { by: listOf(keys, valueOf), multi: multi === true } };
}

const valueOf = (value: unknown): EditValue =>
  'term' in shapeOf(value) ? functionOf(value) : valueTextOf(value);

const valueTextOf = (value: unknown): ValueText => ({ text: textOf(shapeOf(value)['text']) });

function functionOf(value: unknown): TermFunction {
  const { term, captured } = shapeOf(value);
  return { term: textOf(term), captured: listOf(captured, capturedOf) };
}

function capturedOf(captured: unknown): CapturedValue {
  const { variable, value, isSelection } = shapeOf(captured);
  return {
    variable: numberOf(variable),
    value: valueTextOf(value),
    isSelection: isSelection === true,
  };
}

function shapeOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw refused('an object', value);
  return value as Readonly<Record<string, unknown>>;
}

function listOf<T>(value: unknown, read: (value: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length > partsMax) throw refused('a list', value);
  return value.map(read);
}

function nameOf<T extends string>(value: unknown, names: readonly T[]): T {
  const found = names.find((name) => name === value);
  if (found === undefined) throw refused(names.join(' or '), value);
  return found;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw refused('a text', value);
}

function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  throw refused('a number', value);
}

const refused = (wanted: string, found: unknown): TableMessageError =>
  new TableMessageError(`The operations of a scan hold ${typeof found} in place of ${wanted}.`);
