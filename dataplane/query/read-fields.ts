import { fieldName } from '../datum/field-of-text.ts';
import type { FieldName } from '../datum/field-of-text.ts';
import { Term } from './term-table.ts';

/**
 * What a function of one document reads of it, when that is nothing but fields whose names stand in the
 * query: then only those fields of a stored document are read from its text. An error that shows the
 * document needs all of it, which is what whoever calls the function falls back to.
 */

/** A function of more parts is not looked at. */
const partsMax = 200;
/** More fields are not worth a search for each. */
const fieldsMax = 4;

/** Undefined when the function may look at the rest of its document, too. */
export function readFieldsOf(
  parameters: readonly number[],
  body: unknown,
): readonly FieldName[] | undefined {
  if (parameters.length !== 1) return undefined;
  const names = new Set<string>();
  if (!isRead(body, parameters[0] as number, names)) return undefined;
  const fields = [...names].map(fieldName).filter((field) => field !== undefined);
  return fields.length === names.size && fields.length > 0 ? fields : undefined;
}

/** Whether every part of a term takes the parameter for its fields only, which are added to `names`. */
function isRead(body: unknown, parameter: number, names: Set<string>): boolean {
  const rest: unknown[] = [body];
  for (let parts = 0; rest.length > 0; parts += 1) {
    if (parts > partsMax || names.size > fieldsMax) return false;
    const part = rest.pop();
    if (typeof part !== 'object' || part === null) continue;
    if (!Array.isArray(part)) {
      rest.push(...Object.values(part));
      continue;
    }
    const name = fieldRead(part, parameter);
    if (name !== undefined) names.add(name);
    else if (isParameter(part, parameter)) return false;
    else rest.push(...(part as unknown[]));
  }
  return true;
}

/** The name of the field when a term is a field of the parameter. */
function fieldRead(term: readonly unknown[], parameter: number): string | undefined {
  const [number, args, options] = term;
  if (number !== Term.BRACKET && number !== Term.GET_FIELD) return undefined;
  if (!Array.isArray(args) || args.length !== 2 || options !== undefined) return undefined;
  const [target, name] = args as readonly unknown[];
  return typeof name === 'string' && isParameter(target, parameter) ? name : undefined;
}

function isParameter(term: unknown, parameter: number): boolean {
  if (!Array.isArray(term)) return false;
  const [number, args] = term as readonly unknown[];
  if (number === Term.IMPLICIT_VAR) return true;
  return number === Term.VAR && Array.isArray(args) && args[0] === parameter;
}
