import type { Datum, DatumObject } from '../../datum/datum.ts';
import { fieldOf } from '../../datum/object.ts';
import { prettyText } from '../../datum/text.ts';
import type { TermCall, TermEntry } from '../compiled.ts';
import { logic, nonExistence } from '../failure.ts';
import { Term } from '../term-table.ts';
import { objectOfValue, textOf } from '../value.ts';
import { coerced } from './values.ts';

/** A text with the fields of an object in the place of their names in braces. */
function format({ args: [template = null, object = null] }: TermCall): Datum {
  const text = textOf(template);
  const fields = objectOfValue(object);
  let formatted = '';
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at] as string;
    if (letter === '}') throw logic('No parameter tags to close');
    if (letter !== '{') {
      formatted += letter;
      continue;
    }
    const end = text.indexOf('}', at);
    const name = text.slice(at + 1, end < 0 ? undefined : end);
    checkParameter(name);
    if (end < 0) throw logic('Parameter tag must be closed');
    formatted += fieldText(fields, name);
    at = end;
  }
  return formatted;
}

function checkParameter(name: string): void {
  const refused = /[{,\\]/.exec(name)?.[0];
  if (refused === undefined) return;
  if (refused === '{') throw logic('Nested template parameters are not allowed');
  throw logic(
    refused === ','
      ? 'Formatting separator `,` is not allowed in parameter name'
      : 'Reserved escape character `\\` is not allowed in parameter name',
  );
}

function fieldText(object: DatumObject, name: string): string {
  const value = fieldOf(object, name);
  if (value === undefined)
    throw nonExistence(`No attribute \`${name}\` in object:\n${prettyText(object)}`);
  return coerced(value, 'STRING', value) as string;
}

export const formatTerms: readonly TermEntry[] = [[Term.FORMAT, { arity: [2, 2], run: format }]];
